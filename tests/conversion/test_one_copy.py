"""A package's weights are written once: the files that coremltools would copy get another name."""

from pathlib import Path
from types import SimpleNamespace

import coremltools as ct
import pytest
import torch

from coreml_gate.conversion import one_copy
from coreml_gate.conversion.one_copy import converted_once
from coreml_gate.conversion.packages import save
from coreml_gate.conversion.quiet import quiet
from coreml_gate.mil.package import read_package

WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
SPECIFICATION = "Data/com.apple.CoreML/model.mlmodel"


def made() -> ct.models.MLModel:
    net = torch.nn.Linear(64, 64).eval()
    with quiet(), converted_once():
        program = torch.export.export(net, (torch.ones(1, 64),), strict=False).run_decompositions({})
        return ct.convert(program, minimum_deployment_target=ct.target.iOS17, skip_model_load=True)


def test_the_converter_s_weights_are_moved_and_the_saved_ones_linked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []

    def moved(source: Path, target: Path) -> None:
        written.append(source.stat().st_ino)
        source.rename(target)

    monkeypatch.setattr(one_copy.shutil, "move", moved)
    model = made()
    path = save(model, tmp_path / "a" / "package.mlpackage")
    assert [(path / WEIGHTS).stat().st_ino, Path(model.package_path, WEIGHTS).stat().st_ino] == 2 * written
    assert (path / SPECIFICATION).stat().st_ino != Path(model.package_path, SPECIFICATION).stat().st_ino


def test_the_package_is_whole_when_the_temporary_one_is_gone(tmp_path: Path) -> None:
    model = made()
    path = save(model, tmp_path / "package.mlpackage")
    one_copy.shutil.rmtree(model.package_path)
    package = read_package(path)
    assert package.weight_bytes > 64 * 64 * 2
    assert "com.github.apple.coremltools.version" in package.spec.description.metadata.userDefined


def test_a_package_that_stays_is_copied(tmp_path: Path) -> None:
    first = save(made(), tmp_path / "first.mlpackage")
    second = save(ct.models.MLModel(str(first), skip_model_load=True), tmp_path / "second.mlpackage")
    assert (first / WEIGHTS).stat().st_nlink == (second / WEIGHTS).stat().st_nlink + 1 == 2
    assert (first / WEIGHTS).read_bytes() == (second / WEIGHTS).read_bytes()


def test_without_links_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(18, "Invalid cross-device link")

    model = made()
    monkeypatch.setattr(one_copy.os, "link", refused)
    path = save(model, tmp_path / "package.mlpackage")
    assert (path / WEIGHTS).stat().st_nlink == 1
    assert (path / WEIGHTS).read_bytes() == Path(model.package_path, WEIGHTS).read_bytes()


def test_a_version_of_coremltools_without_these_names_copies_as_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_copy, "of_coremltools", SimpleNamespace())
    path = save(made(), tmp_path / "package.mlpackage")
    assert (path / WEIGHTS).stat().st_nlink == 1
    assert read_package(path).weight_bytes > 64 * 64 * 2
