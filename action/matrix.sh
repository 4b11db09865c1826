#!/usr/bin/env bash
# Shares the models that Core ML has to look at among a few jobs with a Mac.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option baseline "$FOLDER/baseline"
option shards "$SHARDS"
coreml_gate github matrix "$FOLDER/run"
