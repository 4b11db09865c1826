#!/usr/bin/env bash
# Concludes the check where the report did not: nothing that an earlier step installed is needed.
set -euo pipefail

python=$(command -v python3 || true)
exec "${python:-$PYTHON}" -I "$GITHUB_ACTION_PATH/action/check.py" conclude
