#!/usr/bin/env bash
# Measures all models of the base branch.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"
source "$GITHUB_ACTION_PATH/action/as-models-user.sh"

option output "$FOLDER/theirs/out"
option config "$CONFIG"
options model "$MODELS"
option core-ml "$CORE_ML"
coreml_gate_on_models -- collect
