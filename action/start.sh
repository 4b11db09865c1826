#!/usr/bin/env bash
# Decides what this run is for, and opens the check.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option shard "$SHARD"
options base-branch "$BASE_BRANCHES"
option check "$CHECK"
option check-name "$CHECK_NAME"
coreml_gate github start
