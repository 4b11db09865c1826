#!/usr/bin/env bash
# Everything that is not Python: workflows, the action, scripts, the image, examples for other CIs. Needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."
shopt -s nullglob

workflows=(.github/workflows/*.yml examples/workflows/*.yml)
actions=(action.yml*)
scripts=(.ci/run .ci/*.sh action/*.sh)

follows() {
  local schema=$1
  shift
  if (($# > 0)); then check-jsonschema --quiet --builtin-schema "vendor.$schema" "$@"; fi
}

follows dependabot .github/dependabot.yml
follows github-workflows "${workflows[@]}"
follows github-actions "${actions[@]}"
follows buildkite examples/ci/buildkite.yml
follows gitlab-ci --data-transform gitlab-ci examples/ci/gitlab-ci.yml
if ((${#workflows[@]} > 0)); then actionlint "${workflows[@]}"; fi
zizmor --config .github/zizmor.yml --offline --pedantic --quiet --no-progress .github/dependabot.yml "${workflows[@]}" "${actions[@]}"
shellcheck "${scripts[@]}"
hadolint Dockerfile
