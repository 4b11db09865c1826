"""The plain script that converts one model: import, build, run once, convert, save.

python benchmarks/scale/plain.py FOLDER FILE:FUNCTION FILE:FUNCTION TARGET PACKAGE [METHOD:NUMBER]
"""

import importlib
import sys

import coremltools as ct
import torch
from coremltools.optimize import coreml as cto


def named(reference: str) -> object:
    file, _, name = reference.partition(":")
    return getattr(importlib.import_module(file.removesuffix(".py").replace("/", ".")), name)()


def compressed(package: ct.models.MLModel, how: str) -> ct.models.MLModel:
    method, _, number = how.partition(":")
    if method == "palettize":
        config = cto.OpPalettizerConfig(mode="kmeans", nbits=int(number))
        return cto.palettize_weights(package, cto.OptimizationConfig(global_config=config))
    block = {"granularity": "per_block", "block_size": int(number)}
    config = cto.OpLinearQuantizerConfig(mode="linear_symmetric", dtype="int4", **block)
    return cto.linear_quantize_weights(package, cto.OptimizationConfig(global_config=config))


def main(folder: str, source: str, samples: str, target: str, path: str, how: str = "") -> None:
    sys.path.insert(0, folder)
    model, first = named(source).eval(), next(iter(named(samples)))
    args = tuple(first.values()) if isinstance(first, dict) else (first,)
    with torch.no_grad():
        model(*args)
        program = torch.export.export(model, args, strict=False).run_decompositions({})
    package = ct.convert(program, minimum_deployment_target=ct.target[target], skip_model_load=True)
    (compressed(package, how) if how else package).save(path)


if __name__ == "__main__":
    main(*sys.argv[1:])
