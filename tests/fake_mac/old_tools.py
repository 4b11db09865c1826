"""Builds bash 3.2 and GNU make 3.81, which every Mac has and no Linux distribution still packages.

``python -m tests.fake_mac.old_tools FOLDER`` fetches both sources at a pinned commit and leaves ``bash`` and
``make`` in the folder. It needs git, a C compiler, make and bison; ``--bash`` and ``--make`` name clones.
"""

import argparse
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

BUILT: Final = Path(__file__).parents[2] / "build" / "old-tools"
"""Where ``make old-tools`` leaves both."""


@dataclass(frozen=True)
class Source:
    """A repository, and the commit of a release in it: the commit fixes the content."""

    repository: str
    commit: str

    def fetch(self, folder: Path) -> None:
        """Check the commit out, without its history."""
        run(folder, "git", "init", "--quiet")
        run(folder, "git", "fetch", "--quiet", "--depth", "1", self.repository, self.commit)
        run(folder, "git", "checkout", "--quiet", "FETCH_HEAD")


BASH: Final = Source("https://github.com/bminor/bash.git", "f1be666c7d78939ad775078d290bec2758fa29a2")
"""3.2.48."""
MAKE: Final = Source("https://github.com/mirror/make.git", "a8f101d0bc354896e410e218db12b449b0447de7")
"""3.81."""
_DIALECT: Final = ("-O1", "-w", "-std=gnu89", "-fcommon")
"""C as it was when both were written."""
_FUNCTIONS: Final = (
    "ALLOCA_H ANSI_COMPILER ATEXIT DIRENT_H DUP2 FCNTL_H FDOPEN GETCWD INTTYPES_H LIMITS_H LOCALE_H MEMORY_H "
    "MKSTEMP PIPE REALPATH SA_RESTART SETLINEBUF SETLOCALE SIGACTION STDARG_H STDINT_H STDLIB_H STRCASECMP "
    "STRCHR STRCOLL STRDUP STRERROR STRING_H STRNDUP STRSIGNAL SYS_TIME_H SYS_WAIT_H UNISTD_H VPRINTF WAITPID"
)
_CONFIGURATION: Final = """
#define _GNU_SOURCE 1
#include <alloca.h>
#include <stdint.h>
#define __alloca alloca
#define __stat stat
#define FILE_TIMESTAMP_HI_RES 0
#define MAKE_HOST ""
#define MAKE_JOBSERVER 1
#define PACKAGE "make"
#define PATH_SEPARATOR_CHAR ':'
#define RETSIGTYPE void
#define SCCS_GET "get"
#define STDC_HEADERS 1
#define TIME_WITH_SYS_TIME 1
#define VERSION "3.81"
"""
_OBJECTS: Final = (
    "ar arscan commands default dir expand file function getopt getopt1 hash implicit job main misc read "
    "remake remote-stub rule signame strcache variable version vpath glob/glob glob/fnmatch"
)


def build_bash(source: Source, made: Path) -> None:
    """The parser is generated anew: the one of the repository is of another version."""
    with tempfile.TemporaryDirectory(prefix="bash-") as name:
        folder = Path(name)
        source.fetch(folder)
        (folder / "y.tab.c").unlink()
        run(folder, "./configure", "--without-bash-malloc", "--disable-nls", f"CFLAGS={' '.join(_DIALECT)}")
        run(folder, "make")
        (folder / "bash").rename(made)


def build_make(source: Source, made: Path) -> None:
    """The repository has no ``configure``, so its answers for a Linux of today are written here."""
    with tempfile.TemporaryDirectory(prefix="make-") as name:
        folder = Path(name)
        source.fetch(folder)
        has = "".join(f"#define HAVE_{each} 1\n" for each in _FUNCTIONS.split())
        (folder / "config.h").write_text(_CONFIGURATION + has, encoding="utf-8")
        paths = [f'-D{each}=""' for each in ("LOCALEDIR", "LIBDIR", "INCLUDEDIR")]
        files = [f"{each}.c" for each in _OBJECTS.split()]
        run(folder, "cc", *_DIALECT, "-DHAVE_CONFIG_H", *paths, "-I.", "-Iglob", *files, "-o", str(made))


def run(folder: Path, *command: str) -> None:
    """Run a step of a build; what it printed is shown if it failed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")


def main() -> None:
    """Build both into the folder of the arguments."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--bash", default=BASH.repository, help="the repository of bash")
    parser.add_argument("--make", default=MAKE.repository, help="the repository of GNU make")
    options = parser.parse_args()
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    build_bash(Source(options.bash, BASH.commit), folder / "bash")
    build_make(Source(options.make, MAKE.commit), folder / "make")


if __name__ == "__main__":
    main()
