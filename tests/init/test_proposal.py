"""Which models are proposed for repositories of six shapes, how each is built, fed and converted."""

from collections.abc import Callable, Mapping

import pytest

from coreml_gate.init.found import InputShape
from coreml_gate.init.proposal import Proposal, ProposedModel
from tests.init.repositories import LFS, LIGHTNING, NET, NOTEBOOK, ONE_SCRIPT, PACKAGE, ULTRALYTICS

Propose = Callable[[Mapping[str, str]], Proposal]


def only(proposal: Proposal) -> ProposedModel:
    (model,) = proposal.models
    return model


def test_a_script_s_own_conversion_is_what_is_judged(proposed: Propose) -> None:
    model = only(proposed(ONE_SCRIPT))

    assert model.name == "tiny_net"
    assert model.source.reference == "net.py:TinyNet"
    assert model.export.convert == "net.py:export"
    assert model.export.target == "iOS16"
    assert model.samples.inputs == (InputShape((1, 3, 48, 48), "float32", "image"),)


def test_a_block_is_a_part_and_no_model(proposed: Propose) -> None:
    assert [model.name for model in proposed({"net.py": NET}).models] == ["tiny_net"]


def test_files_of_a_package_are_imported_as_modules(proposed: Propose) -> None:
    models = {model.name: model for model in proposed(PACKAGE).models}

    assert {name: model.source.reference for name, model in models.items()} == {
        "classifier": "vision.classifier:ten_classes",
        "text_encoder": "vision.encoder:TextEncoder",
    }
    assert models["classifier"].samples.inputs == (InputShape((1, 16), "float32", "features"),)
    assert models["text_encoder"].samples.inputs == (InputShape((1, 16), "int32", "tokens"),)


def test_a_data_loader_gives_real_samples(proposed: Propose) -> None:
    model = only(proposed(LIGHTNING))

    assert model.name == "lit_regressor"
    assert model.samples.reference == "coreml_gate_models:lit_regressor_samples"
    assert model.samples.inputs == ()
    assert "from data import validation_loader" in model.glue[0]


def test_without_a_loader_the_example_of_a_lightning_module_is_taken_and_called_weak(
    proposed: Propose,
) -> None:
    model = only(proposed({"train.py": LIGHTNING["train.py"]}))

    assert model.samples.inputs == (InputShape((1, 5), "float32", "rows"),)
    assert model.samples.reason == (
        "samples: seeded random ones are weak evidence, so write `samples` that yields real inputs; "
        "shape of the example at train.py:10"
    )


def test_an_exporter_s_package_is_judged_against_its_module(proposed: Propose) -> None:
    model = only(proposed(ULTRALYTICS))

    assert model.name == "yolov8n"
    assert model.export.package == "weights/yolov8n.mlpackage"
    assert model.export.build == ("python", "export.py")
    assert "YOLO('weights/yolov8n.pt').model" in model.glue[0]


def test_a_notebook_s_conversion_is_named_and_its_script_s_model_proposed(proposed: Propose) -> None:
    proposal = proposed(NOTEBOOK)

    assert only(proposal).source.reference == "model.py:TinyNet"
    assert proposal.notes == (
        (
            "`export.ipynb` converts to Core ML, but the gate does not run notebooks: move the conversion to "
            "a script."
        ),
    )


def test_a_stored_package_in_git_lfs_says_that_it_is_a_pointer(proposed: Propose) -> None:
    proposal = proposed(LFS)

    assert only(proposal).source.reference == "models/Depth.mlpackage"
    assert (
        only(proposal).reasons[0].endswith("its files are pointers of Git LFS here: run `git lfs pull` first")
    )
    assert proposal.uses_lfs


def test_a_script_that_converts_when_it_runs_is_named_as_the_build(proposed: Propose) -> None:
    script = NET + (
        "\n\nimport coremltools as ct\n"
        "model = ct.convert(torch.jit.trace(TinyNet(), torch.rand(1, 3, 32, 32)))\n"
        'model.save("out/Tiny.mlpackage")\n'
    )
    model = only(proposed({"convert.py": script}))

    assert (model.export.package, model.export.build) == ("out/Tiny.mlpackage", ("python", "convert.py"))
    assert model.export.convert == ""


def test_arguments_of_a_call_elsewhere_build_the_module(proposed: Propose) -> None:
    files = {
        "nets.py": NET.replace("channels=4", "channels"),
        "main.py": "from nets import TinyNet\n\nnet = TinyNet(channels=6)\n",
    }
    model = only(proposed(files))

    assert model.source.reference == "coreml_gate_models:build_tiny_net"
    assert "return TinyNet(channels=6)" in model.glue[0]


@pytest.mark.parametrize(
    ("files", "note"),
    [
        (
            {"nets.py": NET.replace("channels=4", "channels")},
            "`TinyNet` (nets.py:15) needs `channels`: write a function without parameters that returns it.",
        ),
        (
            {"nets.py": NET.replace("nn.Conv2d(3, channels, 3)", "Block(size_of(channels))")},
            "`TinyNet` (nets.py:15): no example input was found; write `samples` that yields one.",
        ),
        ({"broken.py": "def f(:\n"}, "`broken.py` cannot be parsed, so it is not used."),
    ],
)
def test_what_cannot_be_proposed_is_said_with_what_to_write(
    proposed: Propose, files: Mapping[str, str], note: str
) -> None:
    proposal = proposed(files)

    assert proposal.models == ()
    assert proposal.notes == (note,)


def test_two_classes_of_one_name_are_two_models(proposed: Propose) -> None:
    models = proposed({"a.py": NET, "b.py": NET}).models

    assert [(model.name, model.source.reference) for model in models] == [
        ("tiny_net", "a.py:TinyNet"),
        ("tiny_net_2", "b.py:TinyNet"),
    ]


def test_a_function_called_samples_and_a_builder_that_ends_in_eval_are_taken(proposed: Propose) -> None:
    text = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 2)

    def forward(self, x):
        return self.line(x)


def trained():
    model = Net()
    model.load_state_dict(torch.load("net.pt"))
    return model.to("cpu").eval()


def samples():
    yield torch.zeros(1, 4)
"""
    (model,) = proposed({"models/net.py": text}).models
    assert model.source.reference == "models/net.py:trained"
    assert model.samples.reference == "models/net.py:samples"
    assert model.samples.reason == "samples: those of `samples` (models/net.py:21)"
