#!/usr/bin/env bash
# Names the environment and a folder for this use of the action; another environment has another name in the cache.
set -euo pipefail

folder=$(mktemp -d "$RUNNER_TEMP/coreml-gate.XXXXXX")
"$PYTHON" "$GITHUB_ACTION_PATH/action/dependencies.py" "$GITHUB_EVENT_NAME" "$MODE" >"$folder/dependencies.txt"
files=("$folder/dependencies.txt" "$GITHUB_ACTION_PATH/constraints.txt")
for file in $REQUIREMENTS; do
  if [ ! -f "$file" ]; then
    echo "::error title=coreml-gate::requirements file \`$file\` does not exist: name it relative to the repository's root, and check the repository out before."
    exit 2
  fi
  files+=("$file")
done

hash=$(
  {
    cat -- "${files[@]}"
    echo "$TORCH_INDEX"
  } | git hash-object --stdin
)
{
  echo "folder=$folder"
  echo "venv=$RUNNER_TEMP/coreml-gate-venv"
  echo "cache-key=coreml-gate-$RUNNER_OS-$RUNNER_ARCH-$PYTHON_VERSION-$hash"
} >>"$GITHUB_OUTPUT"
