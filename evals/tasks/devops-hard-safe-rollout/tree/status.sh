#!/bin/sh
# Shows the version and the health of each host of a group: status.sh GROUP.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib/hosts.sh"
. "$here/lib/health.sh"

for host in $(hosts_of "$1"); do
    version=$(installed_version "$host") || version=unknown
    if is_healthy "$host"; then health=healthy; else health=unhealthy; fi
    echo "$host $version $health"
done
