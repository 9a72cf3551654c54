#!/bin/sh
# Makes an older release live again.
set -eu
. "$(dirname "$0")/lib.sh"

[ $# -eq 1 ] || fail "usage: rollback.sh NAME"
[ -d "$ROOT/releases/$1" ] || fail "there is no release $1"
make_live "$1"
