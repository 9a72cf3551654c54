#!/bin/sh
# Says in the chat that a run failed.
set -eu
curl --fail --silent --data "CI failed on $1" "$CHAT_URL"
