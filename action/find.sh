#!/usr/bin/env bash
# Looks for the stored baseline of the commit that the checked-out one is compared with.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option workflow "$WORKFLOW"
option base "$BASE_SHA"
option head "$(git rev-parse HEAD)"
option to "$FOLDER/baseline"
switch rebuild "$REBUILD_BASE" rebuild-base
coreml_gate github baseline
