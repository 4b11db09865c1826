#!/usr/bin/env bash
# Makes a folder for this use of the action and a user for the models' code, and names the environments in the cache.
set -euo pipefail

work=measures
if [ "$GITHUB_EVENT_NAME" = workflow_run ] || [ "$MODE" = report ]; then
  work=reports
fi
places=$("$PYTHON" -I "$GITHUB_ACTION_PATH/action/isolation.py" "$GITHUB_ACTION_PATH" "$work")
folder=$(sed -n 's/^folder=//p' <<<"$places")
base=$(sed -n 's/^base=//p' <<<"$places")
user=$(sed -n 's/^user=//p' <<<"$places")

"$PYTHON" -I "$GITHUB_ACTION_PATH/action/dependencies.py" "$GITHUB_EVENT_NAME" "$MODE" >"$folder/dependencies.txt"
files=()
for file in $REQUIREMENTS; do
  if [ ! -f "$file" ]; then
    echo "::error title=coreml-gate::requirements file \`$file\` does not exist: name it relative to the repository's root, and check the repository out before."
    exit 2
  fi
  files+=("$file")
done
if [ "$work" = measures ] && [ -z "$user" ]; then
  echo "::notice title=coreml-gate::this runner offers no second user, so the models' code runs as the runner's own: see \"Who holds a token\" in docs/github.md."
fi

# key FILE...: a name for what these files make of this machine.
key() {
  local hash
  hash=$( (cat -- "$@" && echo "$TORCH_INDEX") | git hash-object --stdin)
  echo "coreml-gate-$RUNNER_OS-$RUNNER_ARCH-$PYTHON_VERSION-$hash"
}
own=("$folder/dependencies.txt" "$GITHUB_ACTION_PATH/constraints.txt" "$GITHUB_ACTION_PATH/locks/measure.txt")
# The models' environment holds the path of the gate's, so it is one of this place.
{
  echo "$places"
  echo "venv=$base/venv"
  echo "requirements-venv=$base/requirements"
  echo "cache-key=$(key "${own[@]}")"
  echo "requirements-key=requirements-$(basename "$base")-$(key "${own[@]}" ${files[@]+"${files[@]}"})"
} >>"$GITHUB_OUTPUT"
