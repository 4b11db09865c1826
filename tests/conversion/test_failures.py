import errno
import os
from pathlib import Path
from typing import Any

import pytest

from coreml_gate.conversion.failures import failure_of, in_one_line


def test_the_converters_words_are_kept_within_bounds(tmp_path: Path) -> None:
    error = RuntimeError("first\n\n" + "\n".join(f"line {number}" for number in range(50)))
    lines = failure_of(error, tmp_path, ["ERROR - converting 'fold' op"]).message.splitlines()
    assert lines[:3] == ["ERROR - converting 'fold' op", "RuntimeError: first", "line 0"]
    assert len(lines) == 20


def test_frames_inside_of_a_message_are_dropped(tmp_path: Path) -> None:
    text = (
        'broken\n  File "/somewhere/net.py", line 3\n    x = y\nFor more information, run with LOGS\nthe end'
    )
    failure = failure_of(ValueError(text), tmp_path)
    assert failure.message == "ValueError: broken\nthe end"
    assert in_one_line(failure) == "ValueError: broken"


def test_what_was_called_from_the_sources_line_is_known(tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text("import json\n\n\ndef forward():\n    json.loads('no')\n")
    code = compile((tmp_path / "net.py").read_text(), str(tmp_path / "net.py"), "exec")
    names: dict[str, Any] = {}
    exec(code, names)
    with pytest.raises(ValueError, match="Expecting") as raised:
        names["forward"]()
    failure = failure_of(raised.value, tmp_path)
    assert failure.refused.place == "net.py:5"
    assert "json/__init__.py" in failure.through
    assert "net.py" not in failure.through


def test_an_error_without_words(tmp_path: Path) -> None:
    assert failure_of(AssertionError(), tmp_path).message == "AssertionError: no message"


@pytest.mark.attack("disks and outputs")
@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_file_that_the_converter_cannot_have_is_no_part_of_the_model_to_write_otherwise(
    tmp_path: Path, number: int
) -> None:
    failure = failure_of(OSError(number, os.strerror(number), "/missing/tmp1"), tmp_path)
    assert failure.hint.startswith("the converter could not use its files, whatever the model computes")
    assert "`TMPDIR`" in failure.hint
    assert failure_of(ValueError("/missing/tmp1"), tmp_path).hint == ""
