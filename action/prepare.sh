#!/usr/bin/env bash
# Makes a folder for this use of the action and a user for the models' code, and names the environments in the cache.
set -euo pipefail

work=measures
if [ "$GITHUB_EVENT_NAME" = workflow_run ] || [ "$MODE" = report ]; then
  work=reports
fi
if [ "$work" = measures ] && ! command -v git >/dev/null; then
  echo "::error title=coreml-gate::there is no git on PATH: install it before the step of actions/checkout, which fetches no history without it."
  exit 2
fi
if [ "$work" = measures ] && [ "$RUNNER_OS" = macOS ] && [ "$RUNNER_ARCH" != ARM64 ]; then
  echo "::error title=coreml-gate::torch has no wheel for macOS on $RUNNER_ARCH: take a runner on Apple silicon, such as \`macos-15\`, and on a Mac of your own the runner for arm64."
  exit 2
fi
# In a container job the workspace belongs to another user, and git reads nothing of it (actions/runner#2033).
refusal=$(LC_ALL=C git -C "${GITHUB_WORKSPACE:-.}" rev-parse 2>&1 || true)
if [[ $refusal == *"dubious ownership"* || $refusal == *"unsafe repository"* ]]; then
  git config --global --add safe.directory "$GITHUB_WORKSPACE"
  echo "coreml-gate: the workspace belongs to another user; git's \`safe.directory\` has it now: $GITHUB_WORKSPACE"
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
  hash=$( (cat -- "$@" && echo "$TORCH_INDEX") | "$PYTHON" -I -c "import hashlib, sys; print(hashlib.sha1(sys.stdin.buffer.read()).hexdigest())")
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
