#!/usr/bin/env bash
# Adds the figures of this commit to the history of the base branch.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option workflow "$WORKFLOW"
option to "$FOLDER/run/history.json"
coreml_gate github history "$FOLDER/run"
