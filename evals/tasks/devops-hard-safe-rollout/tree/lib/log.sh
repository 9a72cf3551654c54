# Messages go to standard error, so that output can be used.

log() {
    printf '%s\n' "$*" >&2
}
