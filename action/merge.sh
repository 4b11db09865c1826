#!/usr/bin/env bash
# Makes one Record of those that the measuring jobs left behind.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

while IFS= read -r file; do
  arguments+=("$(dirname "$file")") # a single artifact is unpacked without a folder of its name
done < <(find "$FOLDER/records" -name record.json 2>/dev/null | sort)
option expect "$RECORDS"
option to "$FOLDER/run"
coreml_gate github merge
