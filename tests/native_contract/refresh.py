"""Reads the macOS wheel of coremltools and writes its facts as ``contract.json``: ``make native-contract``.

pip downloads the wheel on any system. The table of names comes from the two C++ files of the same version
(``--source FOLDER``: coremlpython/ of apple/coremltools; without it they are downloaded from GitHub), and is
only written when every signature that follows from the source stands in the compiled module as well.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Final

import requests

from tests.native_contract.binding_table import read_bindings
from tests.native_contract.contract import CONTRACT
from tests.native_contract.macho import read_module

VERSION: Final = "9.0"
_FILES: Final = ("CoreMLPython.mm", "CoreMLPython.h")
_URL: Final = "https://raw.githubusercontent.com/apple/coremltools/{version}/coremlpython/{name}"
_MODULE: Final = "coremltools/libcoremlpython.so"


def main() -> None:
    """Download, read, compare, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--version", default=VERSION)
    parser.add_argument("--source", type=Path)
    parsed = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheel = download(parsed.version, Path(folder))
        source, header = (_text(name, parsed.version, parsed.source) for name in _FILES)
        CONTRACT.write_text(json.dumps(contract(parsed.version, wheel, source, header), indent=1) + "\n")


def download(version: str, folder: Path) -> Path:
    """The wheel for Apple silicon."""
    where = ("--platform", "macosx_11_0_arm64", "--python-version", "3.12", "--implementation", "cp")
    command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", *where)
    subprocess.run([*command, "--dest", str(folder), f"coremltools=={version}"], check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def contract(version: str, wheel: Path, source: str, header: str) -> dict[str, object]:
    """The facts; raises ``ValueError`` when source and wheel do not belong together."""
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        module = read_module(Path(archive.extract(_MODULE, folder)))
        python = sorted(name for name in archive.namelist() if name.endswith((".so", ".dylib")))
    classes, bindings = read_bindings(source, header)
    if unknown := sorted({each.signature for each in bindings} - set(module.signatures)):
        raise ValueError(f"the compiled module has no {', '.join(unknown)}: is this the source of {version}?")
    return {
        "coremltools": version,
        "wheel": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "compiled": python,
        **asdict(module),
        "classes": classes,
        "bindings": [asdict(each) for each in bindings],
    }


def _text(name: str, version: str, folder: Path | None) -> str:
    if folder is not None:
        return (folder / name).read_text(encoding="utf-8")
    answer = requests.get(_URL.format(version=version, name=name), timeout=30)
    answer.raise_for_status()
    return answer.text


if __name__ == "__main__":
    main()
