#!/usr/bin/env bash
# Installs what the models require, within the gate's ranges, as the user that runs the models: `pip` runs their code.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/as-models-user.sh"

if [ "$(cat "$REQUIREMENTS_VENV/coreml-gate.key" 2>/dev/null || true)" = "$CACHE_KEY" ]; then
  echo "coreml-gate: the models' environment is there: $CACHE_KEY"
  exit 0
fi
mkdir -p "$REQUIREMENTS_VENV"
as_models_user --own "$REQUIREMENTS_VENV" -- bash "$FOLDER/gate/action/install-requirements.sh"
