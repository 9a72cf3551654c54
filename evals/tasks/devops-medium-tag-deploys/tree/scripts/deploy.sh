#!/bin/sh
# Rolls an image out: deploy.sh ENVIRONMENT COMMIT. What differs between environments is in deploy/ENVIRONMENT.env.
set -eu
cd "$(dirname "$0")/.."

case ${1:-} in
    staging) ;;
    *)
        echo "unknown environment: ${1:-none}" >&2
        exit 2
        ;;
esac
[ -n "${2:-}" ] || {
    echo "no commit" >&2
    exit 2
}

. ./deploy/common.env
. "./deploy/$1.env"
kubectl --context "$CONTEXT" set image deployment/parcels "web=$IMAGE:$2"
kubectl --context "$CONTEXT" scale deployment/parcels --replicas "$REPLICAS"
kubectl --context "$CONTEXT" rollout status deployment/parcels --timeout "$TIMEOUT"
