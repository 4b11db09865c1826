#!/usr/bin/env bash
# Makes the environment, unless the cache brought it: our versions first, then the models' own within our ranges.
set -euo pipefail

if [ "$(cat "$VENV/coreml-gate.key" 2>/dev/null || true)" = "$CACHE_KEY" ]; then
  echo "coreml-gate: the environment is there: $CACHE_KEY"
  exit 0
fi

pip_install() {
  "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --quiet "$@"
}

"$PYTHON" -m venv --clear "$VENV"
index=()
if [ "$RUNNER_OS" = Linux ] && [ -n "$TORCH_INDEX" ]; then
  pip_install --no-deps --index-url "$TORCH_INDEX" --constraint "$GITHUB_ACTION_PATH/constraints.txt" torch
  index=(--extra-index-url "$TORCH_INDEX")
fi
pip_install --constraint "$GITHUB_ACTION_PATH/constraints.txt" --editable "$GITHUB_ACTION_PATH"
for file in $REQUIREMENTS; do
  pip_install ${index[@]+"${index[@]}"} --editable "$GITHUB_ACTION_PATH" --requirement "$file"
done
echo "$CACHE_KEY" >"$VENV/coreml-gate.key"
