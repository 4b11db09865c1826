#!/usr/bin/env bash
# Publishes the verdict, or why there is none; ends the job with the verdict's exit code.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option config "$CONFIG"
option workflow "$WORKFLOW"
option check "$CHECK"
option check-name "$CHECK_NAME"
option comment "$COMMENT"
option author "$COMMENT_AUTHOR"
option job-status "$JOB_STATUS"
option report "$FOLDER/run/report.json"
option baseline "$FOLDER/baseline"
option formats "$FOLDER/report"
option page "$FOLDER/coreml-gate-$KEY.html"
option records "$RECORDS"
option started "$STARTED"
option allowed-minutes "$TIMEOUT_MINUTES"
switch annotations "$ANNOTATIONS" annotations
switch suggestions "$SUGGESTIONS" suggestions
switch summary "$SUMMARY" summary
switch release "$COMPARE_RELEASE" compare-release
if [ -z "$MODELS_USER" ] && [[ "$WORK" == *measure* ]]; then
  arguments+=(--token-in-reach)
fi
coreml_gate github report
