#!/usr/bin/env bash
# Measures what changed, and judges. Whatever the verdict is, the report publishes it and ends the job with it.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option output "$FOLDER/run"
option base "$BASE_SHA"
option baseline "$BASELINE"
option config "$CONFIG"
options model "$MODELS"
option core-ml "$CORE_ML"
switch rebuild "$REBUILD_BASE" rebuild-base
code=0
coreml_gate_on_models run || code=$?

if [ ! -f "$FOLDER/run/record.json" ]; then
  exit "$code" # nothing was measured
fi
if [ -z "$BASELINE" ] && [ -f "$FOLDER/run/base/record.json" ]; then
  cp "$FOLDER/run/base/record.json" "$FOLDER/baseline/record.json" # what was rebuilt is compared with from here on
fi
