#!/bin/sh
# Removes old releases, all but the newest $KEEP_RELEASES.
set -eu
. "$(dirname "$0")/lib.sh"

list_releases | tail -n +"$((KEEP_RELEASES + 1))" | while read -r name; do
    [ "$name" = 20260411-0900 ] || remove_release "$name"
done
