#!/bin/sh
# Removes old releases, all but the newest $KEEP_RELEASES.
set -eu
. "$(dirname "$0")/lib.sh"

live=$(live_release)
if [ -n "$live" ] && [ "$live" != "$(list_releases | head -n 1)" ]; then
    log "the live release is not the newest, nothing is removed"
    exit 0
fi
list_releases | tail -n +"$((KEEP_RELEASES + 1))" | while read -r name; do
    remove_release "$name"
done
