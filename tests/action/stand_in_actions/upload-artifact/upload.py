"""Zips as actions/upload-artifact does: relative to the paths' common folder, without hidden files."""

import glob
import os
import shutil
import sys
import zipfile
from pathlib import Path

folder = Path(os.environ["STAND_IN_FOLDER"]) / "artifacts"
folder.mkdir(parents=True, exist_ok=True)
repository = f"{os.environ['GITHUB_SERVER_URL']}/{os.environ['GITHUB_REPOSITORY']}"
run = f"{repository}/actions/runs/{os.environ['GITHUB_RUN_ID']}"
with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as outputs:
    outputs.write(f"url={run}/artifacts/1\n")
if os.environ["ARCHIVE"] == "false":  # one file, under its own name
    source = Path(os.environ["PATHS"].strip())
    shutil.copy(source, folder / source.name)
    sys.exit()
target = folder / f"{os.environ['NAME']}.zip"
paths = [line.strip() for line in os.environ["PATHS"].splitlines() if line.strip()]
roots = [Path(path.partition("*")[0].rstrip("/")) for path in paths]
common = Path(
    os.path.commonpath([root.parent if root.is_file() or not root.exists() else root for root in roots])
)
found = [Path(each) for path in paths for each in glob.glob(path)]  # noqa: PTH207 - absolute patterns
files = [
    file
    for each in found
    for file in ([each] if each.is_file() else sorted(each.rglob("*")))
    if file.is_file()
]
files = [file for file in files if not any(part.startswith(".") for part in file.relative_to(common).parts)]

if not files and os.environ["IF_NO_FILES_FOUND"] == "error":
    sys.exit(f"::error::no files were found with the provided path: {paths}")
if target.exists() and os.environ["OVERWRITE"] != "true":
    sys.exit(f"::error::an artifact with this name already exists: {target.stem}")
if files:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(common))
    sys.stdout.write(f"artifact {target.stem}: {len(files)} file(s)\n")
