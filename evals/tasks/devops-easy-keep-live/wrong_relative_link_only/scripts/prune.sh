#!/bin/sh
# Removes old releases, all but the newest $KEEP_RELEASES.
set -eu
. "$(dirname "$0")/lib.sh"

live=$(readlink "$ROOT/current" || true)
list_releases | tail -n +"$((KEEP_RELEASES + 1))" | while read -r name; do
    if [ "releases/$name" != "$live" ]; then
        remove_release "$name"
    fi
done
