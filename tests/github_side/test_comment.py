"""One comment per key, found over all pages, ours alone, and never two of it."""

import pytest

from coreml_gate.errors import GitHubError, RateLimitError, TokenError
from coreml_gate.github.api.client import Client
from coreml_gate.github.publishing.comment import CommentMode, Posted, Thread, is_wanted, post
from coreml_gate.github.without_install import RunStamp
from coreml_gate.report import FORMATS, ReportOptions
from coreml_gate.verdict import Status
from tests.builders import finding, model_verdict, verdict
from tests.github_api.faults import NOT_ACCESSIBLE, SECONDARY, Fault
from tests.github_api.hub import GHOST, Hub
from tests.github_api.server import GitHubServer
from tests.report.verdicts import SITUATIONS

MARKER = "<!-- coreml-gate: default -->"
BODY = f"{MARKER}\nall models may merge\n"


def write(
    client: Client,
    body: str = BODY,
    *,
    wanted: bool = True,
    key: str = "default",
    stamp: RunStamp | None = None,
) -> Posted:
    thread = Thread(client, 7, key, "github-actions[bot]")
    return post(thread, stamp or RunStamp("a" * 40, 9, 1), lambda _: body, wanted=wanted)


def bodies(hub: Hub) -> list[str]:
    return [comment["body"] for _, comment in hub.comments.values()]


def test_the_first_run_creates_the_comment_and_the_next_ones_change_it(hub: Hub, client: Client) -> None:
    first = write(client)
    second = write(client, BODY.replace("may", "must not"))
    third = write(client, BODY.replace("may", "must not"))

    assert (first.action, second.action, third.action) == ("created", "updated", "unchanged")
    assert first.id == second.id == third.id
    assert first.url.endswith(f"#issuecomment-{first.id}")
    assert bodies(hub) == [BODY.replace("may", "must not")]


def test_our_comment_is_found_on_a_later_page(hub: Hub, server: GitHubServer, client: Client) -> None:
    for number in range(230):
        hub.add_comment(7, f"talk {number}", "alice")
    ours = hub.add_comment(7, f"{MARKER}\nold")

    assert write(client).id == ours
    assert server.asked("GET", "/issues/7/comments") == 3
    assert server.asked("POST", "/comments") == 0


@pytest.mark.parametrize(
    ("author", "body"),
    [
        ("mallory", BODY),
        ("mallory[bot]", BODY),
        (GHOST, BODY),
        ("github-actions[bot]", f"quoted:\n> {MARKER}"),
        ("github-actions[bot]", "<!-- coreml-gate: default-2 -->\nother key"),
    ],
)
def test_a_comment_of_somebody_else_is_left_alone(hub: Hub, client: Client, author: str, body: str) -> None:
    foreign = hub.add_comment(7, body, author)

    assert write(client).action == "created"
    assert hub.comments[foreign][1]["body"] == body
    assert len(hub.comments) == 2


def test_keys_have_comments_of_their_own(hub: Hub, client: Client) -> None:
    write(client)
    write(client, BODY.replace("default", "ios-app"), key="ios-app")

    assert len(hub.comments) == 2
    assert write(client, BODY + "more").action == "updated"


@pytest.mark.parametrize(
    ("head", "run", "attempt", "action"),
    [
        ("a" * 40, 8, 1, "unchanged"),
        ("a" * 40, 9, 1, "unchanged"),
        ("a" * 40, 9, 3, "updated"),
        ("a" * 40, 10, 1, "updated"),
        ("b" * 40, 8, 1, "updated"),
    ],
)
def test_what_a_later_run_of_the_same_commit_said_stays(
    hub: Hub, client: Client, head: str, run: int, attempt: int, action: str
) -> None:
    hub.add_comment(7, f"{MARKER}\nsaid by run 9, attempt 2\n{RunStamp('a' * 40, 9, 2)}\n")

    assert write(client, stamp=RunStamp(head, run, attempt)).action == action


def test_what_two_runs_at_once_left_behind_becomes_one(hub: Hub, client: Client) -> None:
    kept = hub.add_comment(7, f"{MARKER}\nfirst")
    hub.add_comment(7, f"{MARKER}\nsecond")

    assert write(client).id == kept
    assert bodies(hub) == [BODY]


@pytest.mark.parametrize("kind", ["done-but", "answer"])
def test_a_lost_answer_makes_no_second_comment(
    hub: Hub, server: GitHubServer, client: Client, kind: str
) -> None:
    server.faults.append(Fault("POST", "/comments", 502, kind=kind))  # type: ignore[arg-type]

    assert write(client).action == "created"
    assert bodies(hub) == [BODY]


def test_a_cut_connection_makes_no_second_comment(hub: Hub, server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("POST", "/comments", kind="cut"))

    assert write(client).action == "created"
    assert bodies(hub) == [BODY]


def test_a_comment_that_was_deleted_in_between_is_written_again(
    hub: Hub, server: GitHubServer, client: Client
) -> None:
    hub.add_comment(7, f"{MARKER}\nold")
    server.faults.append(Fault("PATCH", "/issues/comments/", 404, {"message": "Not Found"}))

    assert write(client).action == "created"


def test_a_comment_whose_marker_somebody_removed_is_not_ours_any_more(hub: Hub, client: Client) -> None:
    edited = hub.add_comment(7, "I edited this")

    assert write(client).action == "created"
    assert hub.comments[edited][1]["body"] == "I edited this"


def test_a_fork_cannot_comment_and_is_told_how_to(server: GitHubServer, client: Client) -> None:
    server.faults.append(Fault("POST", "/comments", 403, NOT_ACCESSIBLE))

    with pytest.raises(TokenError) as caught:
        write(client)
    assert "`pull-requests: write`" in caught.value.hint
    assert "workflow_run" in caught.value.hint


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Fault("POST", "/comments", 403, SECONDARY, {"Retry-After": "900"}), RateLimitError),
        (
            Fault("POST", "/comments", 422, {"message": "Body is too long (maximum is 65536 characters)"}),
            GitHubError,
        ),
        (Fault("POST", "/comments", 500, times=2), GitHubError),
    ],
)
def test_other_failures_are_raised_and_nothing_is_written(
    hub: Hub, server: GitHubServer, client: Client, fault: Fault, kind: type[GitHubError]
) -> None:
    server.faults.append(fault)

    with pytest.raises(kind, match="a comment on pull request 7: "):
        write(client)
    assert hub.comments == {}


def test_another_author_than_expected_is_said(hub: Hub, client: Client) -> None:
    hub.bot = "acme-gate[bot]"

    assert "pass `--author acme-gate[bot]`" in write(client).notice


PASSED = verdict(model_verdict(finding(base=2e-7)))
CHANGED = verdict(model_verdict(finding(base=1e-7)))
FAILED = verdict(model_verdict(finding(status=Status.FAIL)))
NOTHING = SITUATIONS["nothing"]()


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        (CommentMode.ALWAYS, [True, True, True, True]),
        (CommentMode.CHANGES, [False, True, True, False]),
        (CommentMode.FAILURES, [False, False, True, False]),
        (CommentMode.OFF, [False, False, False, False]),
    ],
)
def test_modes(mode: CommentMode, expected: list[bool]) -> None:
    assert [is_wanted(mode, each) for each in (PASSED, CHANGED, FAILED, NOTHING)] == expected


def test_an_unwanted_comment_is_not_begun_but_kept_up_to_date(hub: Hub, client: Client) -> None:
    assert write(client, wanted=False) == Posted("none")
    hub.add_comment(7, f"{MARKER}\nit failed")
    assert write(client, wanted=False).action == "updated"
    assert bodies(hub) == [BODY]


@pytest.mark.parametrize("situation", ["regression", "sixty-models", "hostile"])
def test_github_takes_every_report(hub: Hub, client: Client, situation: str) -> None:
    body = FORMATS["markdown"](SITUATIONS[situation](), ReportOptions())

    assert write(client, body).action == "created"
    assert write(client, body).action == "unchanged"
    assert len(bodies(hub)[0]) <= 65_536
