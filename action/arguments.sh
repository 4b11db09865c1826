# shellcheck shell=bash
# Sourced by the steps: collects their command line in `arguments`, for Bash 3.2 (macOS) and later.

arguments=()

# option NAME VALUE: adds `--NAME VALUE`, and nothing when the input is empty.
option() {
  if [ -n "$2" ]; then
    arguments+=("--$1" "$2")
  fi
}

# options NAME VALUES: adds `--NAME VALUE` for each of the words.
options() {
  local word
  for word in $2; do
    arguments+=("--$1" "$word")
  done
}

# switch NAME VALUE INPUT: adds `--NAME` or `--no-NAME`.
switch() {
  case "$2" in
    true) arguments+=("--$1") ;;
    false) arguments+=("--no-$1") ;;
    *)
      echo "::error title=coreml-gate::input \`$3\` is \`$2\`: write true or false."
      exit 2
      ;;
  esac
}

# Becomes one command of the gate, so that a signal to the step reaches it. -I keeps the repository's own files from
# being imported in the place of ours, from the step's folder as from a PYTHONPATH of the workflow.
coreml_gate() {
  exec "$VENV/bin/python" -I -m coreml_gate "$@" ${arguments[@]+"${arguments[@]}"}
}
