#!/usr/bin/env bash
# Makes the environment, unless the cache brought it: our versions first, then the models' own within our ranges.
# The gate itself is used from where the runner put it, so the environment outlives its versions.
set -euo pipefail

pip_install() {
  "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input --quiet "$@"
}

install_all() {
  local constraints="$GITHUB_ACTION_PATH/constraints.txt" dependencies="$FOLDER/dependencies.txt" index=() file
  "$PYTHON" -m venv --clear "$VENV"
  if grep -q '^torch' "$dependencies" && [ "$RUNNER_OS" = Linux ] && [ -n "$TORCH_INDEX" ]; then
    pip_install --no-deps --index-url "$TORCH_INDEX" --constraint "$constraints" torch
    index=(--extra-index-url "$TORCH_INDEX")
  fi
  pip_install --constraint "$constraints" --requirement "$dependencies"
  for file in $REQUIREMENTS; do
    pip_install ${index[@]+"${index[@]}"} --requirement "$dependencies" --requirement "$file"
  done
  echo "$CACHE_KEY" >"$VENV/coreml-gate.key"
}

if [ "$(cat "$VENV/coreml-gate.key" 2>/dev/null || true)" = "$CACHE_KEY" ]; then
  echo "coreml-gate: the environment is there: $CACHE_KEY"
else
  install_all
fi
for packages in "$VENV"/lib/python3.*/site-packages; do
  echo "$GITHUB_ACTION_PATH/src" >"$packages/coreml_gate.pth"
done
