import pytest

from coreml_gate.errors import UsageError
from coreml_gate.report import ReportOptions


@pytest.mark.parametrize("key", ["", "a b", "--> <b>", "a" * 65, "a\n"])
def test_a_key_stays_inside_its_comment(key: str) -> None:
    with pytest.raises(UsageError, match="comment key"):
        ReportOptions(key=key)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "https://a b", "https://a)[b](c", "//a"])
def test_an_address_stays_inside_its_link(url: str) -> None:
    with pytest.raises(UsageError, match="not an http"):
        ReportOptions(full_report_url=url)
