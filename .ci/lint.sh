#!/usr/bin/env bash
# Everything that is not Python: workflows, the action, scripts, the image, examples for other CIs. Needs no network.
set -euo pipefail
cd "$(dirname "$0")/.."

workflows=(.github/workflows/*.yml examples/workflows/*.yml)

# follows SCHEMA [OPTION...] FILE...
follows() {
  local schema=$1
  shift
  check-jsonschema --quiet --builtin-schema "vendor.$schema" "$@"
}

follows dependabot .github/dependabot.yml
follows github-workflows "${workflows[@]}"
follows github-actions action.yml
follows buildkite examples/ci/buildkite.yml
follows gitlab-ci --data-transform gitlab-ci examples/ci/gitlab-ci.yml
actionlint "${workflows[@]}"
zizmor --config .github/zizmor.yml --offline --pedantic --quiet --no-progress \
  .github/dependabot.yml "${workflows[@]}" action.yml
shellcheck .ci/run .ci/*.sh action/*.sh
hadolint Dockerfile
zensical build --clean --strict
