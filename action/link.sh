#!/usr/bin/env bash
# Links the comment to the page, whose address is known once it is uploaded.
set -euo pipefail
source "$GITHUB_ACTION_PATH/action/arguments.sh"

option mode "$MODE"
option key "$KEY"
option author "$COMMENT_AUTHOR"
option comment-url "$COMMENT_URL"
option page-url "$PAGE_URL"
coreml_gate github link
