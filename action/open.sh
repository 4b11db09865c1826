#!/usr/bin/env bash
# Opens the check before anything can fail: nothing is installed yet, so this takes the runner's own Python.
set -euo pipefail

if [ "${RUNNER_OS:-Linux}" != Linux ] && [ "$RUNNER_OS" != macOS ]; then
  echo "::error title=coreml-gate::the gate runs on Linux and macOS, not on $RUNNER_OS: set \`runs-on: ubuntu-latest\`."
  exit 2
fi
python=$(command -v python3 || true)
if [ -z "$python" ]; then
  echo "::warning title=coreml-gate::there is no python3 on PATH: the check is opened later, after the installation."
  echo "needed=true" >>"$GITHUB_OUTPUT"
  exit 0
fi
exec "$python" -I "$GITHUB_ACTION_PATH/action/check.py" open
