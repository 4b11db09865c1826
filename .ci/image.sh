#!/usr/bin/env bash
# Builds the image with the published wheel and pushes it as X.Y.Z and X.
set -euo pipefail
cd "$(dirname "$0")/.."

version=${TAG#v}
docker login ghcr.io --username "$ACTOR" --password-stdin <<<"$GITHUB_TOKEN"
docker build --build-arg "WHEEL=coreml-gate==$version" --tag "$IMAGE:$version" --tag "$IMAGE:${version%%.*}" .
docker run --rm --user 1234:1234 "$IMAGE:$version" --version
docker push "$IMAGE:$version"
docker push "$IMAGE:${version%%.*}"
