#!/usr/bin/env bash
# Makes the gate's own environment, unless the cache brought it. Nothing of the pull request is installed into it.
# The gate itself is used from where the runner put it, so the environment outlives its versions. -I: the step's folder is
# the repository, whose pip.py or venv.py would run here in the place of the real ones.
set -euo pipefail

pip_install() {
  "$VENV/bin/python" -I -m pip install --disable-pip-version-check --no-input --quiet "$@"
}

# torch for Linux comes in the builds of an index, whose hashes are its own: its version is pinned, all else is locked.
install_torch() {
  local constraints="$GITHUB_ACTION_PATH/constraints.txt"
  if [ -n "$TORCH_INDEX" ]; then
    pip_install --no-deps --index-url "$TORCH_INDEX" --constraint "$constraints" torch
  else
    pip_install --constraint "$constraints" torch
  fi
}

install_all() {
  local job=report
  if grep -q '^torch' "$FOLDER/dependencies.txt"; then
    job=measure
  fi
  "$PYTHON" -I -m venv --clear "$VENV"
  if [ "$job" = measure ] && [ "$RUNNER_OS" = Linux ]; then
    install_torch
  fi
  pip_install --no-deps --require-hashes --requirement "$GITHUB_ACTION_PATH/locks/$job.txt"
  echo "$CACHE_KEY" >"$VENV/coreml-gate.key"
}

if [ "$(cat "$VENV/coreml-gate.key" 2>/dev/null || true)" = "$CACHE_KEY" ]; then
  echo "coreml-gate: the environment is there: $CACHE_KEY"
else
  install_all
fi
for packages in "$VENV"/lib/python3.*/site-packages; do
  echo "$FOLDER/gate/src" >"$packages/coreml_gate.pth"
done
