#!/bin/sh
# Unpacks an archive as a new release and makes it live.
set -eu
. "$(dirname "$0")/lib.sh"

[ $# -eq 2 ] || fail "usage: deploy.sh NAME ARCHIVE"
folder=$ROOT/releases/$1
[ ! -e "$folder" ] || fail "there is a release $1 already"
mkdir -p "$folder"
tar -xzf "$2" -C "$folder"
make_live "$1"
