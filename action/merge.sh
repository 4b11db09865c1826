#!/usr/bin/env bash
# Makes one Record of those that the measuring jobs left behind.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option expect "$RECORDS"
option to "$FOLDER/run"
coreml_gate github merge "$FOLDER"/records/*
