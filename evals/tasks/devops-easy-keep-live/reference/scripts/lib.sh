# What the scripts share. Settings come from the environment, see README.md.

ROOT=${ROOT:-/srv/parcels}
KEEP_RELEASES=${KEEP_RELEASES:-5}

log() {
    printf '%s: %s\n' "$(basename "$0" .sh)" "$*"
}

fail() {
    log "$*" >&2
    exit 1
}

# Names of all releases, the newest first. A name is the time of the build, in some cases with a word behind it.
list_releases() {
    for folder in "$ROOT"/releases/[0-9]*/; do
        [ ! -d "$folder" ] || basename "$folder"
    done | sort -r
}

# Name of the release that is live; nothing where none is.
live_release() {
    [ ! -L "$ROOT/current" ] || basename "$(readlink "$ROOT/current")"
}

remove_release() {
    rm -rf "${ROOT:?}/releases/${1:?}"
    log "removed $1"
}

# Points the link at a release, in one step.
make_live() {
    ln -s "releases/$1" "$ROOT/current.new"
    mv -T "$ROOT/current.new" "$ROOT/current"
    log "$1 is live"
}
