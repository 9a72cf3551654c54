# The newest releases stay, and so does a live one that is old.
set -eu
ROOT=$(mktemp -d)
export ROOT
trap 'rm -rf "$ROOT"' EXIT
scripts=$(cd "$(dirname "$0")/../scripts" && pwd)

for day in 10 11 12 13 14; do
    mkdir -p "$ROOT/releases/202604$day-0900"
done
sh "$scripts/rollback.sh" 20260411-0900
KEEP_RELEASES=2 sh "$scripts/prune.sh"

left=$(ls "$ROOT/releases" | tr '\n' ' ')
expected="20260411-0900 20260413-0900 20260414-0900 "
[ "$left" = "$expected" ] || {
    echo "left: $left" >&2
    echo "expected: $expected" >&2
    exit 1
}
