#!/usr/bin/env bash
# Makes one Record of what the measuring jobs compared with, and keeps the note on where it came from.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option to "$FOLDER/baseline"
coreml_gate github merge "$FOLDER"/bases/* --base
