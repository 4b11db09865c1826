"""Configurations made to cost time: each ends in a message, and none is read to its end first."""

import tomllib

import pytest

from coreml_gate.config.bounds import MAX_CONFIG_BYTES, MAX_DEPTH
from coreml_gate.config.load import load_config, parse_config
from coreml_gate.errors import ConfigError

pytestmark = pytest.mark.attack("bombs")

MODEL = '[[model]]\nname = "digits"\nsource = "models/digits.py:build"\n'
ROOM = MAX_CONFIG_BYTES - len(MODEL) - 100


def lines(line: str) -> str:
    """As many different lines as there is room for; ``{}`` is their number."""
    count = ROOM // (len(line) + 8)
    return "\n".join(line.format(number) for number in range(count)) + "\n"


BOMBS = {
    "nested lists": (MODEL + "x = " + "[" * 20_000, f"nested more than {MAX_DEPTH} levels"),
    "nested lists that close": (MODEL + "x = " + "[" * 400 + "]" * 400, "nested more than"),
    "nested tables": (MODEL + "x = " + "{a=" * 20_000, "nested more than"),
    "a dotted key": (MODEL + "a" + ".a" * (ROOM // 2 - 10) + " = 1\n", "nested more than"),
    "a dotted key in quotes": (MODEL + '"a"' + ' . "a"' * 5_000 + " = 1\n", "nested more than"),
    "a dotted header": ("[a" + ".a" * (ROOM // 2 - 10) + "]\n" + MODEL, "nested more than"),
    "a number of many digits": (MODEL + "[gate]\nmax-samples = " + "1" * 200_000, "cannot be read"),
    "a hexadecimal number": (MODEL + "[gate]\nmax-samples = 0x" + "f" * 200_000, "800,000 bits, allowed 64"),
    "unknown keys": (MODEL + lines("unknown{} = 1"), "entries, allowed 1,000"),
    "unknown keys in many tables": (lines("[[model]]\nx{} = 1"), "more than 20 problems, such as:"),
    "models without a name": (lines("[[model]]\nsource = 'm/{}.py:f'"), "more than 20 problems"),
    "unknown devices": (MODEL + "devices = [" + lines("'iPhone {}',") + "]", "entries, allowed 1,000"),
    "unknown devices of many models": (
        lines("[[model]]\nname = 'm{0}'\nsource = 'm.py:f'\ndevices = ['iPhone X{0}', 'Galaxy']"),
        "more than 20 problems",
    ),
    "known devices for many models": (
        "[gate]\ndevices = [" + "'iPhone 12'," * 1_000 + "]\n[gate.limits.size]\nmax-md = 1\n"
        + "".join(f"[[model]]\nname = 'm{number}'\nsource = 'm.py:f'\n" for number in range(5_000)),
        "max-md` is an unknown key",
    ),
    "a text of blanks that looks like a header": (
        MODEL + 'x = """\n[' + " " * (ROOM // 2) + "\na" + " " * (ROOM // 2 - 50) + '"""', "unknown key",
    ),
    "a key of many signs": (MODEL + "a" * (ROOM - 10) + " = 1\n", "is an unknown key"),
    "a device of many signs": (MODEL + f"devices = ['{'a' * (ROOM - 20)}']", "which no device is called"),
    "a path of many signs": (MODEL + f"samples = '{'a/' * 3_000}b.py:f'", "6,006 characters, allowed 1,024"),
    "a path of many parts": (MODEL.replace("models/", "a/" * 500), ""),
    "a file of many bytes": (MODEL + "#" * MAX_CONFIG_BYTES, f"bytes, allowed {MAX_CONFIG_BYTES:,}"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "said"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_ends_in_a_short_message_before_it_costs_time(text: str, said: str) -> None:
    message = ""
    try:
        parse_config(text, "coreml-gate.toml")
    except ConfigError as error:
        message = str(error)
    assert said in message
    assert len(message) < 10_000


def test_a_file_that_is_too_large_is_not_read(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("large")
    with (root / "coreml-gate.toml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ConfigError, match="1,099,511,627,776 bytes, allowed"):
        load_config(root)


def test_what_teams_write_is_no_bomb() -> None:
    many = "".join(f"[[model]]\nname = 'm{number}'\nsource = 'a.b.c.d:f'\n" for number in range(5_000))
    text = f"# see https://{'a.' * 40}example.org\n[gate]\nwatch = ['{'a/' * 20}b']\n{many}"
    assert len(parse_config(text, "coreml-gate.toml").model) == 5_000
    assert tomllib.loads(text)
