#!/bin/sh
# Removes old releases, all but the newest $KEEP_RELEASES and the live one.
set -eu
. "$(dirname "$0")/lib.sh"

live=$(readlink "$ROOT/current")
live=${live##*/}
list_releases | tail -n +"$((KEEP_RELEASES + 1))" | while read -r name; do
    [ "$name" = "$live" ] || remove_release "$name"
done
