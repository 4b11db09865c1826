"""The state of one repository on GitHub, and one handler per operation."""

import base64
import hashlib
import io
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.github_api import document
from tests.github_api.document import Operation

FULL_NAME = "acme/models"
REPOSITORY_ID = 7001
WORKFLOW = ".github/workflows/gate.yml"
BOT = "github-actions[bot]"
FORKER = "mallory"
"""Who owns the forks."""
GHOST = "ghost"
"""Whom GitHub shows in the place of a deleted account; its API says ``null`` (giscus/giscus#391)."""
Json = Any
Query = Mapping[str, str]


@dataclass(frozen=True)
class Reply:
    """What goes back to the client; bytes are a file."""

    status: int
    body: Json = None
    headers: Mapping[str, str] = field(default_factory=dict)


def zipped(files: Mapping[str, bytes]) -> bytes:
    """A zip like the ones that actions/upload-artifact makes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def _label(head: Json) -> str:
    return f"{head['user']['login']}:{head['ref']}"


class Hub:
    """What GitHub knows of the repository ``acme/models``."""

    def __init__(self, url: str, blob_url: str) -> None:
        self.url, self.blob_url = url, blob_url
        self.comments: dict[int, tuple[int, Json]] = {}
        self.review_comments: dict[int, tuple[int, Json]] = {}
        self.diffs: dict[str, str] = {}
        """Patches of the pull requests, by path."""
        self.check_runs: dict[int, Json] = {}
        self.annotations: dict[int, list[Json]] = {}
        self.statuses: list[Json] = []
        self.jobs: dict[int, list[Json]] = {}
        """Jobs of runs."""
        self.runs: dict[int, Json] = {}
        self.artifacts: dict[int, Json] = {}
        self.blobs: dict[int, bytes] = {}
        self.pulls: dict[int, Json] = {}
        self.pulls_of: dict[str, list[int]] = {}
        self.files: dict[tuple[str, str], bytes] = {}
        """Contents by (reference, path)."""
        self.permissions: dict[str, str] = {}
        self.history: list[str] = []
        """Commits of the base branch, newest first."""
        self.merge_base: str | None = None
        self.changed_files: list[str] = []
        """Of every comparison."""
        self.release: tuple[str, str] | None = None
        """Tag and commit of the latest release."""
        self.assets: list[Json] = []
        """Files of the latest release."""
        self.refresh: Callable[[], None] = lambda: None
        """Called before artifacts are listed."""
        self.bot = BOT
        self._last_id = 100

    def handle(self, operation: Operation, query: Query, body: Json) -> Reply:
        handler: Callable[[Operation, Query, Json], Reply]
        handler = getattr(self, "on_" + re.sub(r"\W", "_", operation.name))
        try:
            return handler(operation, query, body)
        except KeyError:
            return Reply(404, {"message": "Not Found", "documentation_url": "x"})

    # Seeds

    def add_comment(self, number: int, body: str, author: str = BOT) -> int:
        comment = self._new("issue-comment", body=body, user=self.user(author))
        comment["url"] = self.at(f"/issues/comments/{comment['id']}")
        comment["html_url"] = f"https://github.com/{FULL_NAME}/pull/{number}#issuecomment-{comment['id']}"
        self.comments[comment["id"]] = (number, comment)
        return int(comment["id"])

    def add_review_comment(self, number: int, author: str = BOT, **facts: Json) -> int:
        facts = {"path": "coreml-gate.toml", "line": 2, "start_line": None, "side": "RIGHT"} | facts
        comment = self._new("pull-request-review-comment", user=self.user(author), **facts)
        comment["url"] = self.at(f"/pulls/comments/{comment['id']}")
        self.review_comments[comment["id"]] = (number, comment)
        return int(comment["id"])

    def add_run(
        self,
        head_sha: str,
        event: str = "push",
        path: str = WORKFLOW,
        head_repository: int = REPOSITORY_ID,
        number: int | None = None,
    ) -> int:
        run = self._new(
            "workflow-run",
            head_sha=head_sha,
            head_branch="main",
            event=event,
            path=path,
            status="completed",
            repository={"id": REPOSITORY_ID, "full_name": FULL_NAME},
            head_repository={"id": head_repository},
        )
        run["id"] = run["id"] if number is None else number
        run["url"] = self.at(f"/actions/runs/{run['id']}")
        run["artifacts_url"] = f"{run['url']}/artifacts"
        run["jobs_url"] = f"{run['url']}/jobs"
        self.runs[run["id"]] = run
        return int(run["id"])

    def add_job(self, run: int, conclusion: str, *annotations: str) -> int:
        """A job of a run; one that ran out of time is called cancelled, and an annotation says why."""
        job = self._new("job", run_id=run, conclusion=conclusion, status="completed", name="measure")
        job["check_run_url"] = self.at(f"/check-runs/{job['id']}")
        self.jobs.setdefault(run, []).append(job)
        self.check_runs[job["id"]] = self._new("check-run", check_suite={"id": 1}, name="measure") | {
            "id": job["id"],
            "url": job["check_run_url"],
            "head_sha": self.runs[run]["head_sha"] if run in self.runs else "0" * 40,
        }
        self.annotations[job["id"]] = [{"message": words, "path": ".github"} for words in annotations]
        return int(job["id"])

    def add_artifact(self, run: int, name: str, data: bytes, **overrides: Json) -> int:
        artifact = self._new("artifact", name=name, size_in_bytes=len(data), expired=False)
        artifact["url"] = self.at(f"/actions/artifacts/{artifact['id']}")
        artifact["archive_download_url"] = f"{artifact['url']}/zip"
        artifact["digest"] = f"sha256:{hashlib.sha256(data).hexdigest()}"
        owner = self.runs[run]
        artifact["workflow_run"] = {
            "id": run,
            "head_sha": owner["head_sha"],
            "head_branch": owner["head_branch"],
            "repository_id": REPOSITORY_ID,
            "head_repository_id": owner["head_repository"]["id"],
        }
        self.artifacts[artifact["id"]] = artifact | overrides
        self.blobs[artifact["id"]] = data
        return int(artifact["id"])

    def add_pull(
        self, number: int, head_sha: str, *, head_repository: int | None = REPOSITORY_ID, **overrides: Json
    ) -> None:
        owner = FULL_NAME.partition("/")[0] if head_repository == REPOSITORY_ID else FORKER
        head = {"sha": head_sha, "ref": "feature", "user": self.user(owner), "label": f"{owner}:feature"}
        if head_repository is not None:
            head["repo"] = {"id": head_repository, "full_name": f"{owner}/models", "owner": self.user(owner)}
        known = {
            "number": number,
            "state": "open",
            "body": "",
            "user": self.user("alice"),
            "base": {"sha": "b" * 40, "ref": "main", "repo": self._repository()},
            "head": head,
            "url": self.at(f"/pulls/{number}"),
            "issue_url": self.at(f"/issues/{number}"),
        }
        self.pulls[number] = known | overrides
        self.pulls_of.setdefault(head_sha, []).append(number)

    def add_asset(self, name: str, data: bytes) -> None:
        asset = self._new("release-asset", name=name, size=len(data), digest=None)
        asset["url"] = self.at(f"/releases/assets/{asset['id']}")
        self.assets.append(asset)
        self.blobs[asset["id"]] = data

    def set_labels(self, number: int, *names: str) -> None:
        described = {
            "node_id": "x",
            "url": self.at("/labels/x"),
            "description": "",
            "color": "0",
            "default": False,
        }
        self.pulls[number]["labels"] = [{"id": self._id(), "name": name, **described} for name in names]

    def satisfies_protection(self, head_sha: str, name: str = "coreml-gate") -> bool:
        """Whether a required check lets the commit merge: neutral and skipped do, as on GitHub."""
        runs = [run for run in self.check_runs.values() if (run["head_sha"], run["name"]) == (head_sha, name)]
        newest = max(runs, key=lambda run: int(run["id"]), default=None)
        return newest is not None and newest["conclusion"] in ("success", "neutral", "skipped")

    # Handlers, by the operation's name

    def on_repos_get(self, operation: Operation, query: Query, body: Json) -> Reply:
        return self._ok(operation, self._repository())

    def on_pulls_get(self, operation: Operation, query: Query, body: Json) -> Reply:
        return self._ok(operation, self.pulls[int(operation.path["pull_number"])])

    def on_pulls_list(self, operation: Operation, query: Query, body: Json) -> Reply:
        """``head`` filters by owner and branch, and a branch alone filters nothing, as on GitHub."""
        found = [
            document.load().component("pull-request-simple", pull)
            for pull in self.pulls.values()
            if query.get("state", "open") in (pull["state"], "all")
            and (":" not in query.get("head", "") or query["head"] == _label(pull["head"]))
        ]
        return self._page(operation, query, found)

    def on_pulls_list_files(self, operation: Operation, query: Query, body: Json) -> Reply:
        files = [
            document.load().component("diff-entry", {"filename": path, "status": "modified", "patch": patch})
            for path, patch in self.diffs.items()
        ]
        return self._page(operation, query, files)

    def on_pulls_list_review_comments(self, operation: Operation, query: Query, body: Json) -> Reply:
        number = int(operation.path["pull_number"])
        found = [each for pull, each in self.review_comments.values() if pull == number]
        return self._page(operation, query, found)

    def on_pulls_create_review_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        comment = self.add_review_comment(int(operation.path["pull_number"]), self.bot, **body)
        return Reply(201, self.review_comments[comment][1])

    def on_pulls_update_review_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        comment = self.review_comments[int(operation.path["comment_id"])][1]
        comment["body"] = body["body"]
        return Reply(200, comment)

    def on_pulls_delete_review_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        del self.review_comments[int(operation.path["comment_id"])]
        return Reply(204)

    def on_issues_list_for_repo(self, operation: Operation, query: Query, body: Json) -> Reply:
        """Pull requests are issues, and the gate asks for no others."""
        wanted = set(query["labels"].split(","))
        issues = [
            self._new(
                "issue",
                number=number,
                state=pull["state"],
                user=pull["user"],
                labels=pull["labels"],
                url=self.at(f"/issues/{number}"),
                pull_request={"url": pull["url"], "html_url": None, "diff_url": None, "patch_url": None},
            )
            for number, pull in self.pulls.items()
            if pull["state"] == query["state"] and wanted <= {each["name"] for each in pull.get("labels", ())}
        ]
        return self._page(operation, query, issues)

    def on_issues_list_comments(self, operation: Operation, query: Query, body: Json) -> Reply:
        number = int(operation.path["issue_number"])
        return self._page(
            operation, query, [each for issue, each in self.comments.values() if issue == number]
        )

    def on_issues_create_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        if len(body["body"]) > 65_536:
            return Reply(422, {"message": "Body is too long (maximum is 65536 characters)"})
        comment = self.add_comment(int(operation.path["issue_number"]), body["body"], self.bot)
        return Reply(201, self.comments[comment][1])

    def on_issues_update_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        comment = self.comments[int(operation.path["comment_id"])][1]
        comment["body"] = body["body"]
        return Reply(200, comment)

    def on_issues_get_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(200, self.comments[int(operation.path["comment_id"])][1])

    def on_issues_delete_comment(self, operation: Operation, query: Query, body: Json) -> Reply:
        del self.comments[int(operation.path["comment_id"])]
        return Reply(204)

    def on_checks_create(self, operation: Operation, query: Query, body: Json) -> Reply:
        run = self._new("check-run", check_suite={"id": 1}, conclusion=None, completed_at=None)
        run["url"] = self.at(f"/check-runs/{run['id']}")
        run["html_url"] = f"https://github.com/{FULL_NAME}/runs/{run['id']}"
        self.check_runs[run["id"]] = run
        self.annotations[run["id"]] = []
        return Reply(201, self._update_check_run(run, body))

    def on_checks_update(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(200, self._update_check_run(self.check_runs[int(operation.path["check_run_id"])], body))

    def on_checks_get(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(200, self.check_runs[int(operation.path["check_run_id"])])

    def on_checks_list_for_ref(self, operation: Operation, query: Query, body: Json) -> Reply:
        """By default only the last run of each name in a suite (lewagon/wait-on-check-action#156)."""
        found = [
            run
            for run in self.check_runs.values()
            if run["head_sha"] == operation.path["ref"]
            and query.get("check_name", run["name"]) == run["name"]
        ]
        if query.get("filter", "latest") == "latest":
            found = list({(run["check_suite"]["id"], run["name"]): run for run in found}.values())
        return self._page(operation, query, found, "check_runs")

    def on_checks_list_annotations(self, operation: Operation, query: Query, body: Json) -> Reply:
        """Those of a job as well, which is a check run of the same number."""
        known = self.annotations.get(int(operation.path["check_run_id"]), [])
        described = [document.load().component("check-annotation", each) for each in known]
        return self._page(operation, query, described)

    def on_repos_get_combined_status_for_ref(self, operation: Operation, query: Query, body: Json) -> Reply:
        """The last status of each context, 30 contexts a page (Mergifyio/mergify#288)."""
        sha = operation.path["ref"]
        newest = {each["context"]: each for each in self.statuses if each["sha"] == sha}
        statuses = [document.load().component("simple-commit-status", each) for each in newest.values()]
        page = self._page(operation, query, statuses, "statuses")
        known = {"sha": sha, "state": "pending", "repository": self._repository(), **page.body}
        return Reply(200, self._ok(operation, known).body, page.headers)

    def on_repos_create_commit_status(self, operation: Operation, query: Query, body: Json) -> Reply:
        self.statuses.append({**body, "sha": operation.path["sha"]})
        return self._ok(operation, {"id": self._id(), **body}, 201)

    def on_repos_list_commits(self, operation: Operation, query: Query, body: Json) -> Reply:
        if self.release is not None and query["sha"] == self.release[0]:
            return self._page(operation, query, [self._commit(self.release[1])])
        start = self.history.index(query["sha"]) if query["sha"] in self.history else len(self.history)
        return self._page(operation, query, [self._commit(sha) for sha in self.history[start:]])

    def on_repos_get_commit(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(200, self._commit(operation.path["ref"]))

    def on_repos_list_pull_requests_associated_with_commit(
        self, operation: Operation, query: Query, body: Json
    ) -> Reply:
        """Nothing for a commit of a fork, as on GitHub."""
        numbers = self.pulls_of.get(operation.path["commit_sha"], [])
        pulls = [document.load().component("pull-request-simple", self.pulls[number]) for number in numbers]
        pulls = [pull for pull in pulls if (pull["head"]["repo"] or {}).get("id") == REPOSITORY_ID]
        return self._page(operation, query, pulls)

    def on_repos_compare_commits_with_basehead(self, operation: Operation, query: Query, body: Json) -> Reply:
        if self.merge_base is None:
            raise KeyError
        commit = self._commit(self.merge_base)
        files = [document.load().component("diff-entry", {"filename": name}) for name in self.changed_files]
        known = {"merge_base_commit": commit, "base_commit": commit, "files": files}
        return self._ok(operation, {**known, "url": self.at("/compare/x")})

    def on_repos_get_content(self, operation: Operation, query: Query, body: Json) -> Reply:
        data = self.files[query.get("ref", "main"), operation.path["path"]]
        known = {
            "type": "file",
            "encoding": "base64",
            "size": len(data),
            "path": operation.path["path"],
            "name": operation.path["path"].rpartition("/")[2],
            "content": base64.encodebytes(data).decode(),
            "url": self.at(f"/contents/{operation.path['path']}"),
        }
        return Reply(200, document.load().component("content-file", known))

    def on_repos_get_collaborator_permission_level(
        self, operation: Operation, query: Query, body: Json
    ) -> Reply:
        name = operation.path["username"]
        known = {"permission": self.permissions[name], "role_name": self.permissions[name], "user": None}
        return self._ok(operation, known)

    def on_repos_get_latest_release(self, operation: Operation, query: Query, body: Json) -> Reply:
        if self.release is None:
            raise KeyError
        known = {
            "tag_name": self.release[0],
            "url": self.at("/releases/1"),
            "author": self.user("alice"),
            "assets": self.assets,
        }
        return self._ok(operation, known)

    def on_actions_get_workflow_run(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(200, self.runs[int(operation.path["run_id"])])

    def on_actions_list_jobs_for_workflow_run(self, operation: Operation, query: Query, body: Json) -> Reply:
        return self._page(operation, query, self.jobs.get(int(operation.path["run_id"]), []), "jobs")

    def on_actions_list_workflow_run_artifacts(self, operation: Operation, query: Query, body: Json) -> Reply:
        self.refresh()
        run = int(operation.path["run_id"])
        found = [each for each in self.artifacts.values() if each["workflow_run"]["id"] == run]
        return self._page(operation, query, found, "artifacts")

    def on_actions_list_artifacts_for_repo(self, operation: Operation, query: Query, body: Json) -> Reply:
        found = [each for each in self.artifacts.values() if query.get("name", each["name"]) == each["name"]]
        return self._page(operation, query, found[::-1], "artifacts")

    def on_actions_download_artifact(self, operation: Operation, query: Query, body: Json) -> Reply:
        artifact = self.artifacts[int(operation.path["artifact_id"])]
        if artifact["expired"]:
            return Reply(410, {"message": "Artifact has expired"})
        return Reply(302, None, {"Location": f"{self.blob_url}/_blob/{artifact['id']}?sig=secret-signature"})

    def on_repos_get_release_asset(self, operation: Operation, query: Query, body: Json) -> Reply:
        return Reply(302, None, {"Location": f"{self.blob_url}/_blob/{operation.path['asset_id']}"})

    def blob(self, path: str) -> Reply:
        return Reply(200, self.blobs[int(path.removeprefix("/_blob/"))])

    # Parts

    def at(self, tail: str) -> str:
        return f"{self.url}/repos/{FULL_NAME}{tail}"

    def user(self, login: str) -> Json:
        if login == GHOST:
            return None
        kind = "Bot" if login.endswith("[bot]") else "User"
        return document.load().component("simple-user", {"login": login, "type": kind})

    def _id(self) -> int:
        self._last_id += 1
        return self._last_id

    def _new(self, schema: str, **known: Json) -> Json:
        return document.load().component(schema, {"id": self._id(), **known})

    def _repository(self) -> Json:
        owner, _, name = FULL_NAME.partition("/")
        return {
            "id": REPOSITORY_ID,
            "full_name": FULL_NAME,
            "name": name,
            "owner": self.user(owner),
            "default_branch": "main",
            "url": self.at(""),
        }

    def _commit(self, sha: str) -> Json:
        return document.load().component("commit", {"sha": sha, "url": self.at(f"/commits/{sha}")})

    def _update_check_run(self, run: Json, body: Json) -> Json:
        output = dict(body.get("output") or {})
        self.annotations[run["id"]] += output.pop("annotations", [])
        run |= {name: value for name, value in body.items() if name not in ("output", "actions")}
        run["output"] |= output
        run["output"]["annotations_count"] = len(self.annotations[run["id"]])
        return run

    def _ok(self, operation: Operation, known: Json, status: int = 200) -> Reply:
        return Reply(status, document.load().least(operation, status, known))

    def _page(self, operation: Operation, query: Query, items: Sequence[Json], key: str = "") -> Reply:
        size, number = int(query.get("per_page", 30)), int(query.get("page", 1))
        part = list(items[(number - 1) * size : number * size])
        headers = {}
        if number * size < len(items):
            parameters = "&".join(f"{name}={value}" for name, value in {**query, "page": number + 1}.items())
            headers["Link"] = f'<{self.url}{operation.address}?{parameters}>; rel="next"'
        return Reply(200, {"total_count": len(items), key: part} if key else part, headers)
