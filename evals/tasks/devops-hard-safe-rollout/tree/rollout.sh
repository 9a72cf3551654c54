#!/bin/sh
# Installs a version on the hosts of a group, one after another: rollout.sh VERSION GROUP. See README.md.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/hosts.sh"
. "$here/lib/health.sh"
. "$here/lib/log.sh"

if [ $# -ne 2 ]; then
    log "usage: rollout.sh VERSION GROUP"
    exit 64
fi
version=$1
hosts=$(hosts_of "$2")

lock=${LOCK:-/run/rollout.lock}
mkdir "$lock"

for host in $hosts; do
    install_version "$host" "$version"
    log "$host: installed $version"
done

rmdir "$lock"
