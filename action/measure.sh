#!/usr/bin/env bash
# Measures what changed, and judges. Whatever the verdict is, the report publishes it and ends the job with it.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"
source "$GITHUB_ACTION_PATH/action/as-models-user.sh"

option output "$FOLDER/theirs/out"
option base "$BASE_SHA"
option baseline "$BASELINE"
option config "$CONFIG"
options model "$MODELS"
options installed "$REQUIREMENTS"
option core-ml "$CORE_ML"
switch rebuild "$REBUILD_BASE" rebuild-base
coreml_gate_on_models --judged -- run
