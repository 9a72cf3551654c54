#!/bin/sh
# Builds the image of a commit and pushes it.
set -eu
. ./deploy/common.env
printf '%s' "$REGISTRY_TOKEN" | docker login --username robot --password-stdin "${IMAGE%%/*}"
docker build --tag "$IMAGE:$1" .
docker push "$IMAGE:$1"
