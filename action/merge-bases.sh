#!/usr/bin/env bash
# Makes one Record of what the measuring jobs compared with, and keeps the note on where it came from.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

while IFS= read -r file; do
  arguments+=("$(dirname "$file")")
done < <(find "$FOLDER/bases" -name baseline.json 2>/dev/null | sort)
option to "$FOLDER/baseline"
coreml_gate github merge --base
