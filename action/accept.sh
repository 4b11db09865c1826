#!/usr/bin/env bash
# Notes in the baseline which failures came into the base branch accepted, and until when.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option author "$COMMENT_AUTHOR"
coreml_gate github accept "$FOLDER/run"
