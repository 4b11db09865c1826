"""Links in the comment: to lines of the head, to the run, to the page."""

import pytest

from coreml_gate.github.publishing.body import run_link, with_links_to_lines, with_page

BLOB = "https://github.com/acme/models/blob/" + "a" * 40
RUN = "https://github.com/acme/models/actions/runs/9"


@pytest.mark.parametrize(
    ("markdown", "linked"),
    [
        ("models/net.py:41 adds", f"[models/net.py:41]({BLOB}/models/net.py#L41) adds"),
        ("`mul` (models/net.py:41)", f"`mul` ([models/net.py:41]({BLOB}/models/net.py#L41))"),
        ("models/my\\_net.py:7.", f"[models/my\\_net.py:7]({BLOB}/models/my_net.py#L7)."),
        ("net.py:&#8203;41: x", f"[net.py:41]({BLOB}/net.py#L41): x"),
    ],
)
def test_a_line_of_a_file_leads_to_the_head(markdown: str, linked: str) -> None:
    assert with_links_to_lines(markdown, BLOB) == linked


@pytest.mark.parametrize(
    "markdown",
    [
        "`models/net.py:41`",
        "```\nmodels/net.py:41\n```",
        "``a ` models/net.py:41``",
        "[text](models/net.py:41)",
        "https://evil.example/net.py:41",
        "../../secret.py:41",
        "/etc/passwd.txt:1",
        "at 10:41",
        "1.19 times:2",
    ],
)
def test_anything_else_stays_as_it_is(markdown: str) -> None:
    assert with_links_to_lines(markdown, BLOB) == markdown


def test_the_page_stands_beside_the_run_and_only_there() -> None:
    body = f"a report\n\n{run_link(RUN)}\n"

    assert (
        with_page(body, RUN, "https://x/page")
        == f"a report\n\n[The whole report](https://x/page) · {run_link(RUN)}\n"
    )
    assert with_page("by hand", RUN, "https://x/page") == "by hand"
