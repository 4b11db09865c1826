"""What a process that runs a model's code is given of a job's environment."""

import base64
import os
import re

import pytest

from coreml_gate.credentials import without_credentials

TOKEN = "ghs_0123456789abcdefghij"
KEPT = {"PATH": "/usr/bin", "HF_TOKEN": "hf_0123456789abcdef", "GITHUB_SHA": "a" * 40, "RUNNER_OS": "Linux"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GITHUB_TOKEN", TOKEN),
        ("GH_TOKEN", "short"),
        ("GH_ENTERPRISE_TOKEN", "anything"),
        ("github_token", TOKEN),
        ("INPUT_GITHUB-TOKEN".replace("-", "_"), TOKEN),
        ("ACTIONS_RUNTIME_TOKEN", "eyJhbGciOi"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://x"),
        ("ACTIONS_RESULTS_URL", "https://x"),
        ("GITHUB_ENV", "/tmp/env"),
        ("GITHUB_PATH", "/tmp/path"),
        ("MY_BOT", TOKEN),
        ("NETRC", f"machine github.com password {TOKEN}"),
        ("CLONE", f"https://x-access-token:{TOKEN}@github.com/a/b"),
        ("HEADER", "AUTHORIZATION: basic " + base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()),
        ("SAFE", base64.urlsafe_b64encode(f"??>>:{TOKEN}".encode()).decode().rstrip("=")),
        ("PAT", "github_pat_11ABCDEFG0abcdefgh"),
    ],
)
def test_a_credential_is_dropped_under_any_name_and_in_any_form(name: str, value: str) -> None:
    assert without_credentials({**KEPT, name: value}) == KEPT


def test_the_value_of_a_token_is_known_whatever_it_looks_like() -> None:
    held = {"GITHUB_TOKEN": "an-opaque-value", "COPY": "Bearer an-opaque-value"}
    encoded = {"ENCODED": base64.b64encode(b"x:an-opaque-value").decode()}

    assert without_credentials({**KEPT, **held, **encoded}) == KEPT


def test_gits_settings_go_together() -> None:
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "http.extraheader", "GIT_CONFIG_VALUE_0": TOKEN}

    assert without_credentials({**KEPT, **settings}) == KEPT
    harmless = {**settings, "GIT_CONFIG_VALUE_0": "x"}
    assert without_credentials({**KEPT, **harmless}) == {**KEPT, **harmless}


def test_nothing_else_is_lost() -> None:
    ours = {
        name: value for name, value in os.environ.items() if not re.search("TOKEN|ACTIONS_|GITHUB_", name)
    }

    assert without_credentials(ours) == ours
