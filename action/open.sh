#!/usr/bin/env bash
# Opens the check before anything can fail: nothing is installed yet, so this takes the runner's own Python.
set -euo pipefail

python=$(command -v python3 || true)
if [ -z "$python" ]; then
  echo "::warning title=coreml-gate::there is no python3 on PATH: the check is opened later, after the installation."
  echo "needed=true" >>"$GITHUB_OUTPUT"
  exit 0
fi
exec "$python" -I "$GITHUB_ACTION_PATH/action/check.py" open
