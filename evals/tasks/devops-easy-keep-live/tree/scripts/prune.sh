#!/bin/sh
# Removes old releases, all but the newest $KEEP_RELEASES.
set -eu
. "$(dirname "$0")/lib.sh"

list_releases | tail -n +"$((KEEP_RELEASES + 1))" | while read -r name; do
    remove_release "$name"
done
