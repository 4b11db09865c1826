"""Zips as actions/upload-artifact does: relative to the paths' common folder, without hidden files.

With ``archive: false`` the artifact is called like its one file, but ``overwrite`` removes the artifact that
``name`` names, which is ``artifact`` without one (actions/upload-artifact#769).
"""

import glob
import os
import shutil
import sys
import zipfile
from pathlib import Path


def main() -> None:
    """Upload, or end as the action does."""
    folder = Path(os.environ["STAND_IN_FOLDER"]) / "artifacts"
    folder.mkdir(parents=True, exist_ok=True)
    common, files = found([line.strip() for line in os.environ["PATHS"].splitlines() if line.strip()])
    if not files:
        is_error = os.environ["IF_NO_FILES_FOUND"] == "error"
        sys.exit("::error::no files were found with the provided path" if is_error else 0)
    name, archived = os.environ["NAME"] or "artifact", os.environ["ARCHIVE"] != "false"
    if os.environ["OVERWRITE"] == "true":
        for named in (folder / f"{name}.zip", folder / name):
            named.unlink(missing_ok=True)
    target = folder / (f"{name}.zip" if archived else files[0].name)
    if target.exists():
        sys.exit(f"::error::(409) Conflict: an artifact with this name already exists: {target.name}")
    write(target, common, files, archived=archived)
    leave_address()


def found(paths: list[str]) -> tuple[Path, list[Path]]:
    """The paths' common folder, and the files below them."""
    roots = [Path(path.partition("*")[0].rstrip("/")) for path in paths]
    folders = [root.parent if root.is_file() or not root.exists() else root for root in roots]
    common = Path(os.path.commonpath(folders))
    named = [Path(each) for path in paths for each in glob.glob(path)]  # noqa: PTH207 - absolute patterns
    files = [file for each in named for file in ([each] if each.is_file() else sorted(each.rglob("*")))]
    shown = (file for file in files if file.is_file())
    return common, [
        file for file in shown if not any(part[0] == "." for part in file.relative_to(common).parts)
    ]


def write(target: Path, common: Path, files: list[Path], *, archived: bool) -> None:
    """A zip of the files, or the one file as it is."""
    if not archived:
        shutil.copy(files[0], target)
        return
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(common))
    sys.stdout.write(f"artifact {target.stem}: {len(files)} file(s)\n")


def leave_address() -> None:
    """The output of a step that uploaded something."""
    run = f"{os.environ['GITHUB_REPOSITORY']}/actions/runs/{os.environ['GITHUB_RUN_ID']}"
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
        outputs.write(f"url={os.environ['GITHUB_SERVER_URL']}/{run}/artifacts/1\n")


if __name__ == "__main__":
    main()
