#!/usr/bin/env bash
# Judges the merged Record. Whatever the verdict is, the report publishes it and ends the job with it.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option output "$FOLDER/run"
option config "$CONFIG"
if [ -f "$FOLDER/baseline/record.json" ]; then
  option baseline "$FOLDER/baseline"
fi
code=0
coreml_gate judge "$FOLDER/run" || code=$?

if [ ! -f "$FOLDER/run/report.json" ]; then
  exit "$code"
fi
