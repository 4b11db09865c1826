"""Conversions kept by content: what decides one is hashed, and the same hash is never converted twice."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import coremltools as ct
import numpy as np
import torch
from pydantic import ValidationError
from torch.export import ExportedProgram

import coreml_gate
from coreml_gate.config import ModelConfig
from coreml_gate.convert.pipeline import ORIGINS, Conversion, convert
from coreml_gate.engines.samples import Samples
from coreml_gate.engines.source import Source
from coreml_gate.frozen import changed
from coreml_gate.record import ConversionFacts
from coreml_gate.torch_graph import GRAPH

DEFAULT_LIMIT_BYTES: Final = 5 * 10**9
_INDEX: Final = "entry.json"
CONVERSION_OPTIONS: Final = {
    "precision",
    "keep_fp32",
    "deployment_target",
    "conversion",
    "compute_units",
    "compress",
    "converter",
    "input",
    "output",
}
"""The options that a conversion depends on; limits and names do not change a package."""


def convert_cached(
    source: Source,
    samples: Samples,
    config: ModelConfig,
    folder: Path,
    *,
    cache: "ConversionCache",
    closure: str,
) -> Conversion:
    """Takes the packages from the cache, or converts and keeps them; failures are never kept."""
    if source.kind == "package":
        return convert(source, samples, config, folder)
    key = conversion_key(closure, source, samples, config)
    known = cache.load(key, folder)
    if known is not None:
        return known
    conversion = convert(source, samples, config, folder)
    cache.store(key, conversion)
    return conversion


def conversion_key(closure: str, source: Source, samples: Samples, config: ModelConfig) -> str:
    """Hashes the source files' digest, the weights, the samples' form, the options and the versions."""
    digest = hashlib.sha256()
    for part in _key_parts(closure, source, samples, config):
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _key_parts(closure: str, source: Source, samples: Samples, config: ModelConfig) -> Iterator[bytes]:
    yield closure.encode()
    yield json.dumps(
        [coreml_gate.__version__, ct.__version__, torch.__version__, np.__version__], default=str
    ).encode()
    yield config.model_dump_json(include=CONVERSION_OPTIONS).encode()
    for sample in samples.samples:
        yield json.dumps([[n, str(v.dtype), list(v.shape)] for n, v in sample.items()]).encode()
    yield _graph(source).encode()
    for name, value in _state(source).items():
        yield f"{name} {value.dtype} {list(value.shape)}".encode()
        yield value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()


def _graph(source: Source) -> str:
    """The program of a source that is no Python code, and so no part of the closure."""
    if isinstance(source.model, ExportedProgram):
        return f"{source.model.graph} {source.model.range_constraints}"
    return str(source.model.inlined_graph) if isinstance(source.model, torch.jit.ScriptModule) else ""


def _state(source: Source) -> dict[str, torch.Tensor]:
    if isinstance(source.model, ExportedProgram):
        constants = {k: v for k, v in source.model.constants.items() if isinstance(v, torch.Tensor)}
        return {**source.model.state_dict, **constants}
    if source.model is None:
        return {}
    buffers = dict(source.model.named_buffers())
    return {**source.model.state_dict(), **buffers}


@dataclass(frozen=True)
class ConversionCache:
    """A folder of entries, one per key; several processes may use it at once.

    An entry is written beside its place and renamed into it, checked when it is read, and dropped when it is
    damaged or when the entries together exceed ``limit_bytes``, least recently used first.
    """

    folder: Path
    limit_bytes: int = DEFAULT_LIMIT_BYTES

    def load(self, key: str, into: Path) -> Conversion | None:
        """Copies an entry's packages to ``into``; ``None`` when there is no entry, or a damaged one."""
        entry = self.folder / key
        try:
            index = json.loads((entry / _INDEX).read_text(encoding="utf-8"))
            facts = ConversionFacts.model_validate(index["facts"])
            names = {side: str(index[side]) for side in ("reference", "package")}
            for name in sorted(set(names.values())):
                _copy(entry / name, into / name)
            if _digests(into, names) != index["digests"]:
                raise ValueError("the entry's files are not the ones that were stored")  # noqa: TRY301
            origins = _restored(index["origins"], into / ORIGINS)
            graph = _restored(index["graph"], into / GRAPH)
            os.utime(entry)
        except (OSError, ValueError, KeyError, TypeError, ValidationError):
            self._drop(entry)
            return None
        facts = changed(facts, cached=True)
        return Conversion(facts, into / names["reference"], into / names["package"], origins, graph)

    def store(self, key: str, conversion: Conversion) -> None:
        """Keeps a conversion that succeeded, unless the key is known already."""
        if conversion.facts.status != "converted" or (self.folder / key).exists():
            return
        if conversion.reference is None or conversion.package is None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=".new-", dir=self.folder))
        try:
            _write_entry(temporary, conversion, conversion.reference, conversion.package)
            temporary.rename(self.folder / key)
        except OSError:  # another process was faster, or the disk is full: the conversion itself stands
            shutil.rmtree(temporary, ignore_errors=True)
        self._evict()

    def _drop(self, entry: Path) -> None:
        shutil.rmtree(entry, ignore_errors=True)

    def _evict(self) -> None:
        entries = sorted(
            (entry.stat().st_mtime_ns, entry) for entry in self.folder.iterdir() if entry.name[0] != "."
        )
        sizes = {entry: _size(entry) for _, entry in entries}
        total = sum(sizes.values())
        for _, entry in entries:
            if total <= self.limit_bytes:
                return
            self._drop(entry)
            total -= sizes[entry]


def _write_entry(folder: Path, conversion: Conversion, reference: Path, package: Path) -> None:
    names = {"reference": reference.name, "package": package.name}
    for path in {reference, package}:
        _copy(path, folder / path.name)
    texts = {"origins": _text(conversion.origins), "graph": _text(conversion.graph)}
    facts = conversion.facts.model_dump(mode="json")
    index = {**names, **texts, "facts": facts, "digests": _digests(folder, names)}
    (folder / _INDEX).write_text(json.dumps(index), encoding="utf-8")


def _text(path: Path | None) -> str | None:
    return None if path is None else path.read_text(encoding="utf-8")


def _restored(text: str | None, path: Path) -> Path | None:
    if text is None:
        return None
    path.write_text(text, encoding="utf-8")
    return path


def _copy(source: Path, target: Path) -> None:
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(source, target)


def _digests(folder: Path, names: dict[str, str]) -> dict[str, str]:
    digests = {}
    for name in sorted(set(names.values())):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                with path.open("rb") as file:
                    digest = hashlib.file_digest(file, "sha256").hexdigest()
                digests[path.relative_to(folder).as_posix()] = digest
    return digests


def _size(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.rglob("*") if path.is_file())
