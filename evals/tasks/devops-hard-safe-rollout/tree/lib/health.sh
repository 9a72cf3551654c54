# Whether hosts do what they should.

is_healthy() {
    curl --fail --silent --output /dev/null --max-time 5 "http://$1:8080/health"
}

# Waits until a host is healthy: at most $ATTEMPTS looks, $PAUSE seconds apart.
wait_healthy() {
    attempt=1
    until is_healthy "$1"; do
        [ "$attempt" -lt "${ATTEMPTS:-10}" ] || return 1
        attempt=$((attempt + 1))
        sleep "${PAUSE:-3}"
    done
}
