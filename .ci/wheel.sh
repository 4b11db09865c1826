#!/usr/bin/env bash
# Tries an installed coreml-gate outside of the repository: wheel.sh BIN EXAMPLE, with the folder of its commands and
# the example repository to copy. Every command of the command line runs once.
set -euo pipefail
bin=$(cd "$1" && pwd)
example=$(cd "$2" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -R "$example" "$work/repository"
cd "$work/repository"
unset PYTHONPATH
export OMP_NUM_THREADS=1

tried=()
try() {
  echo "+ coreml-gate $*" >&2
  "$bin/coreml-gate" "$@" >"$work/out" 2>&1 || { cat "$work/out" >&2; exit 1; }
  tried+=("$1")
}
# refused CODE MESSAGE COMMAND...: what has to end with that exit code and say so.
refused() {
  local code=0
  echo "+ coreml-gate ${*:3} (exit code $1)" >&2
  "$bin/coreml-gate" "${@:3}" >"$work/out" 2>&1 || code=$?
  if [ "$code" != "$1" ] || ! grep -q "$2" "$work/out"; then
    echo "expected exit code $1 and '$2', got exit code $code:" >&2
    cat "$work/out" >&2
    exit 1
  fi
  tried+=("$3")
}

cat >>coreml-gate.toml <<'TOML'

[[model.variant]]
name = "int8"
compress = { method = "linear-int8" }
TOML
last=$(sed -n 's/^name = "\(.*\)"/\1/p' coreml-gate.toml | tail -2 | head -1)
git init --quiet
git add --all
git -c user.name=CI -c user.email=ci@example.com commit --quiet --message "The example"
try --version
try plan
try run --model keywords
try judge .coreml-gate --model keywords
try report .coreml-gate/report.json --format html --to page.html
try collect --model keywords --output collected
try history --add collected --to history.json
try site pages --add collected
refused 2 "on one side" bisect keywords size --add collected
try diff .coreml-gate/models/keywords/reference.mlpackage .coreml-gate/models/keywords/package.mlpackage
try rules fp16-squares
try explain precision
try devices
try support keywords
try variants "$last"
try compress "$last" --settings linear-int8,palettize-4
operation=$("$bin/python" -c 'from pathlib import Path
from coreml_gate.mil.package import read_package
program = read_package(Path(".coreml-gate/models/keywords/reference.mlpackage")).function()
print(next(each.outputs[0].name for each in program.block.operations if each.type == "relu"))')
try reproduce keywords --operation "$operation" --output reproducer
try github matrix .coreml-gate --shards 2
try selftest --model keywords
try doctor
refused 22 "iPhone" device
mkdir "$work/fresh"
cp models/keywords.py "$work/fresh"
cd "$work/fresh"
git init --quiet
refused 3 "no configuration" run
try init --yes
try plan
echo "+ check() of coreml_gate" >&2
"$bin/python" -c 'from coreml_gate import check; import torch; print(check(torch.nn.Linear(4, 2), [torch.ones(1, 4)]).status)'

"$bin/python" - ${tried[@]+"${tried[@]}"} <<'PYTHON'
import sys
from coreml_gate.commands import COMMANDS
missing = sorted(COMMANDS.keys() - set(sys.argv))
sys.exit(f"commands that were not tried: {missing}" if missing else 0)
PYTHON
echo "every command of $("$bin/coreml-gate" --version) works outside of the repository"
