# shellcheck shell=bash
# Sourced by the steps that run the models' code, after arguments.sh.

# Becomes the runner of a command that runs the models' code, as the user that was made for it.
as_models_user() {
  exec "$PYTHON" -I "$FOLDER/gate/action/models.py" --folder "$FOLDER" --user "$MODELS_USER" "$@"
}

# The same for a command of the gate, in the environment with the models' own requirements if there are any.
coreml_gate_on_models() {
  local environment="$VENV" options=(--take)
  [ -z "$REQUIREMENTS" ] || environment="$REQUIREMENTS_VENV"
  while [ "$1" != -- ]; do
    options+=("$1")
    shift
  done
  # shellcheck disable=SC2154 # arguments.sh has them
  as_models_user ${options[@]+"${options[@]}"} -- "$environment/bin/python" -P -m coreml_gate "${@:2}" ${arguments[@]+"${arguments[@]}"}
}
