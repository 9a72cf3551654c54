#!/bin/sh
# Installs a version on the hosts of a group, one after another, and goes back if one fails: rollout.sh VERSION GROUP.
# See README.md.
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
if [ ! -f "$here/groups/$2" ]; then
    log "there is no group $2"
    exit 64
fi
hosts=$(hosts_of "$2")

lock=${LOCK:-/run/rollout.lock}
if ! mkdir "$lock" 2> /dev/null; then
    log "another rollout holds $lock"
    exit 4
fi
trap 'rmdir "$lock"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Words HOST=VERSION: what each host that has to be updated runs now.
outdated=
for host in $hosts; do
    if ! old=$(installed_version "$host"); then
        log "$host: does not answer"
        exit 3
    fi
    if [ "$old" = "$version" ]; then
        log "$host: has $version already"
    else
        outdated="$outdated $host=$old"
    fi
done

# The same of those that were touched, the last one first.
touched=

roll_back() {
    code=1
    for entry in $touched; do
        if install_version "${entry%%=*}" "${entry#*=}"; then
            log "${entry%%=*}: back to ${entry#*=}"
        else
            log "not rolled back: ${entry%%=*}"
            code=2
        fi
    done
    exit "$code"
}

printf '%s\n' $outdated > "$lock.hosts"
while read -r entry; do
    host=${entry%%=*}
    touched="$entry $touched"
    if ! install_version "$host" "$version"; then
        log "$host: could not install $version"
        roll_back
    fi
    if ! wait_healthy "$host"; then
        log "$host: not healthy with $version"
        roll_back
    fi
    log "$host: installed $version"
done < "$lock.hosts"
rm -f "$lock.hosts"
