#!/usr/bin/env bash
# Started by requirements.sh, in the place and as the user of the models. The environment lies on top of the gate's:
# what is there already and fits is not installed again.
set -euo pipefail

index=()
if [ "$RUNNER_OS" = Linux ] && [ -n "$TORCH_INDEX" ]; then
  index=(--extra-index-url "$TORCH_INDEX")
fi
"$PYTHON" -I -m venv --clear "$REQUIREMENTS_VENV"
for below in "$VENV"/lib/python3.*/site-packages; do
  for packages in "$REQUIREMENTS_VENV"/lib/python3.*/site-packages; do
    echo "import site; site.addsitedir('$below')" >"$packages/zz_coreml_gate.pth"
  done
done
for file in $REQUIREMENTS; do
  "$REQUIREMENTS_VENV/bin/python" -I -m pip install --disable-pip-version-check --no-input --quiet \
    ${index[@]+"${index[@]}"} --requirement "$FOLDER/dependencies.txt" --requirement "$file"
done
echo "$CACHE_KEY" >"$REQUIREMENTS_VENV/coreml-gate.key"
