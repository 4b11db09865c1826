#!/usr/bin/env bash
# Builds wheel and source archive into DIR/packages, and tries the wheel in an empty environment outside of the repository.
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

python3 -m venv "$work/build"
"$work/build/bin/pip" install --quiet --disable-pip-version-check build cyclonedx-bom
"$work/build/bin/python" -m build --outdir "$out/packages" .

python3 -m venv "$work/empty"
"$work/empty/bin/pip" install --quiet --disable-pip-version-check --constraint constraints.txt "$out"/packages/*.whl
"$work/build/bin/cyclonedx-py" environment "$work/empty/bin/python" --output-file "$out/sbom.cdx.json"

"$work/empty/bin/pip" install --quiet --disable-pip-version-check --requirement examples/phone-models/requirements.txt
version=$("$work/empty/bin/coreml-gate" --version)
if [ -n "${TAG:-}" ] && [ "$version" != "coreml-gate ${TAG#v}" ]; then
  echo "the tag is $TAG, and the wheel says '$version': set the version in src/coreml_gate/version.py" >&2
  exit 1
fi
.ci/wheel.sh "$work/empty/bin" examples/phone-models
