"""With which inputs is a model compared: those of a data loader, else drawn ones of a known shape."""

from dataclasses import dataclass
from typing import Final

from coreml_gate.init.found import CoreMlExport, Example, FoundRepository, InputShape, ModuleClass, PythonFile
from coreml_gate.init.glue import MODULE, function, reference
from coreml_gate.init.python_file import SAMPLES

_WEAK: Final = "samples: seeded random ones are weak evidence, so write `samples` that yields real inputs"
_BATCHES: Final = 8


@dataclass(frozen=True)
class ProposedSamples:
    """A reference for ``samples`` with what it needs, or the inputs to draw; and why."""

    reason: str
    reference: str = ""
    glue: tuple[str, ...] = ()
    inputs: tuple[InputShape, ...] = ()


def propose_samples(
    module: ModuleClass, file: PythonFile, export: CoreMlExport | None, found: FoundRepository, name: str
) -> ProposedSamples | None:
    """Real samples first; ``None`` where neither a loader nor a shape is written down anywhere."""
    if file.samples_line is not None:
        reason = f"samples: those of `{SAMPLES}` ({file.path}:{file.samples_line})"
        return ProposedSamples(reason, reference(file, SAMPLES, found))
    real = _of_a_loader(file, found, name)
    if real is not None:
        return real
    example, where = _example(module, file, export)
    if example is None:
        return None
    return ProposedSamples(f"{_WEAK}; shape {where}", inputs=_named(example, module))


def weak_samples(inputs: tuple[InputShape, ...]) -> ProposedSamples:
    """Drawn samples of a shape that is known beforehand."""
    return ProposedSamples(_WEAK, inputs=inputs)


def _of_a_loader(file: PythonFile, found: FoundRepository, name: str) -> ProposedSamples | None:
    for other in (file, *found.files):
        for loader in other.loaders:
            body = (
                f"for batch in itertools.islice({loader.function}(), {_BATCHES}):\n"
                "        yield (batch[0] if isinstance(batch, list | tuple) else batch)[:1]"
            )
            text = function(f"{name}_samples", other, loader.function, body)
            if text is not None:
                where = f"{other.path}:{loader.line}"
                reason = f"samples: the first of each batch of `{loader.function}` ({where})"
                return ProposedSamples(reason, f"{MODULE}:{name}_samples", (text,))
    return None


def _example(
    module: ModuleClass, file: PythonFile, export: CoreMlExport | None
) -> tuple[Example | None, str]:
    """The conversion's shape, an example of the file, or what the first layer takes; and its place."""
    if export is not None and export.example is not None:
        return export.example, f"of the conversion (line {export.example.line})"
    count = max(1, len(module.parameters))
    written = next((each for each in file.examples if len(each.inputs) == count), None)
    if written is not None:
        return written, f"of the example at {file.path}:{written.line}"
    guess = module.first_layer if count == 1 else None
    return guess, "" if guess is None else f"guessed from the layer at {file.path}:{guess.line}"


def _named(example: Example, module: ModuleClass) -> tuple[InputShape, ...]:
    """The inputs under the names of ``forward``'s parameters, where the code gives none of its own."""
    names = [*module.parameters, *(f"input_{place}" for place in range(len(example.inputs)))]
    if len(module.parameters) < len(example.inputs):
        names = names[len(module.parameters) :]
    return tuple(
        InputShape(each.shape, each.dtype, name) for each, name in zip(example.inputs, names, strict=False)
    )
