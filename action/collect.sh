#!/usr/bin/env bash
# Measures all models of the base branch.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option output "$FOLDER/run"
option config "$CONFIG"
options model "$MODELS"
option core-ml "$CORE_ML"
coreml_gate_on_models collect
