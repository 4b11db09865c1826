"""Measures the models of one commit in a work tree of its own, and keeps the Record."""

from pathlib import Path

from coreml_gate.config.load import load_config, select_models
from coreml_gate.gate.collect import RunContext, Tree, collect
from coreml_gate.gate.git import Repository
from coreml_gate.gate.request import Request
from coreml_gate.gate.scratch import scratch
from coreml_gate.record import RECORD_NAME, Record, read_record

COMMITS_FOLDER = "commits"


def record_of(commit: str, request: Request) -> Path:
    """Where the Record of a commit is kept."""
    return request.output / COMMITS_FOLDER / commit / RECORD_NAME


def collect_at(commit: str, request: Request, repository: Repository, context: RunContext) -> Record:
    """The Record of a commit, as it was kept, or measured now with the configuration that the commit has."""
    kept = record_of(commit, request)
    if kept.is_file():
        return read_record(kept)
    with (
        scratch(request.output, repository) as folder,
        repository.worktree(commit, folder / "tree") as root,
    ):
        config = select_models(load_config(root, request.config_file), request.models)
        tree = Tree("base", root, commit)
        return collect(tree, config.model, (), config.gate, kept.parent, context.using(folder))
