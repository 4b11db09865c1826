#!/bin/sh
# Makes a virtual environment in $1 with the first interpreter that coremltools supports: 3.11 to 3.13.
# Each candidate is run, not only looked up: version managers leave names on the path that do not start.
set -eu

supported='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))'

for candidate in "${PYTHON:-python3}" python3.12 python3.13 python3.11; do
  if "$candidate" -c "$supported" 2>/dev/null; then
    exec "$candidate" -m venv "$1"
  fi
done

cat >&2 <<'MESSAGE'
No supported Python was found: coremltools 9.0 has wheels for Python 3.11, 3.12 and 3.13 only.
Install one of them (macOS: brew install python@3.12; Debian and Ubuntu: apt install python3 python3-venv;
anywhere: uv python install 3.12), or name it: make test PYTHON=/path/to/python3.12
MESSAGE
exit 1
