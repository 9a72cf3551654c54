# A version is installed on each host of a group, and the lock is gone afterwards.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/bin"

cat > "$work/bin/ssh" << 'END'
#!/bin/sh
case $3 in
    version) echo 2.7.0 ;;
    install) echo "$1 $4" >> "$WORK/installed" ;;
esac
END
printf '#!/bin/sh\nexit 0\n' > "$work/bin/curl"
chmod +x "$work/bin/ssh" "$work/bin/curl"

WORK=$work LOCK=$work/lock PATH=$work/bin:$PATH sh "$root/rollout.sh" 2.7.1 web

printf '%s 2.7.1\n' web1.example web2.example web3.example > "$work/expected"
cmp "$work/installed" "$work/expected"
[ ! -e "$work/lock" ]
