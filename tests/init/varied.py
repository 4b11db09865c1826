"""Fifteen repositories as teams write them, each with what `init` must propose, or say is unknown."""

from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True)
class Repository:
    """Files by path, and the configuration that they lead to."""

    files: dict[str, str]
    models: dict[str, dict[str, Any]]
    """The keys of each model by its name, with the shapes of its inputs by their names as ``inputs``."""
    says: tuple[str, ...] = ()
    """Texts that the written configuration holds as comments."""
    runs: bool = True
    """Whether everything that the repository needs is installed here, so that its models can be built."""


_TIMM: Final = Repository(
    {
        "models/mobile.py": """
from torch import nn


def conv_bn(channels, out, stride=1):
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU())


class MobileTiny(nn.Module):
    def __init__(self, num_classes=10, in_chans=3):
        super().__init__()
        self.classifier = nn.Linear(16, num_classes)
        self.features = nn.Sequential(conv_bn(in_chans, 8, 2), nn.Conv2d(8, 16, 1))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


def _create(variant, **kwargs):
    return MobileTiny(**kwargs)


def mobile_tiny(pretrained=False, **kwargs):
    return _create("tiny", **kwargs)
""",
        "tools/convert.py": """
import coremltools as ct
import torch


def to_coreml(model):
    traced = torch.jit.trace(model.eval(), torch.rand(1, 3, 64, 64))
    image = ct.TensorType(name="x", shape=(1, 3, 64, 64))
    return ct.convert(traced, inputs=[image], minimum_deployment_target=ct.target.iOS16)
""",
    },
    {
        "mobile_tiny": {
            "source": "models/mobile.py:MobileTiny",
            "convert": "tools/convert.py:to_coreml",
            "deployment-target": "iOS16",
            "inputs": {"x": [1, 3, 64, 64]},
        }
    },
)
_HELPER: Final = Repository(
    {
        "layers.py": """
from torch import nn


def conv_bn(channels, out):
    layers = nn.Sequential(nn.Conv2d(channels, out, 3, bias=False), nn.BatchNorm2d(out))
    return layers


class ConvBN(nn.Sequential):
    def __init__(self, channels, out):
        super().__init__(nn.Conv2d(channels, out, 3), nn.BatchNorm2d(out))
""",
        "nets.py": """
from torch import nn

from layers import ConvBN, conv_bn


class ByFunction(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = nn.Conv2d(16, 4, 1)
        self.stem = conv_bn(3, 16)

    def forward(self, image):
        return self.head(self.stem(image))


class ByClass(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(ConvBN(1, 16), nn.Conv2d(16, 4, 1))

    def forward(self, image):
        y = self.stem(image)
        return y


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Linear(8, 4)

    def forward(self, image):
        image = image.flatten(1)
        return self.stem(image)


class FromOutside(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = missing(3, 8)
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, image):
        return self.head(self.stem(image))
""",
    },
    {
        "by_function": {"source": "nets.py:ByFunction", "inputs": {"image": [1, 3, 224, 224]}},
        "by_class": {"source": "nets.py:ByClass", "inputs": {"image": [1, 1, 224, 224]}},
    },
    (
        "shape guessed from the layer at nets.py:11, of which only the channels are known",
        "# Not known: `Folded` (nets.py:",
        "# Not known: `FromOutside` (nets.py:",
    ),
)
_TORCHVISION: Final = Repository(
    {
        "convert.py": """
import coremltools as ct
import torch
import torchvision.models as models
from torch import nn

SIZE = 192


class WithSoftmax(nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, image):
        return self.model(image).softmax(1)


def main():
    backbone = models.mobilenet_v3_small(weights=None)
    model = WithSoftmax(backbone).eval()
    example = torch.rand(1, 3, SIZE, SIZE)
    traced = torch.jit.trace(model, example)
    mlmodel = ct.convert(traced, inputs=[ct.TensorType(name="image", shape=example.shape)])
    mlmodel.save("build/Mobile.mlpackage")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
""",
    },
    {
        "with_softmax": {
            "source": "coreml_gate_models:build_with_softmax",
            "package": "build/Mobile.mlpackage",
            "build": ["python", "convert.py"],
            "inputs": {"image": [1, 3, 192, 192]},
        }
    },
    ("converts `WithSoftmax(models.mobilenet_v3_small(weights=None))`",),
    runs=False,
)
_LIBRARY: Final = Repository(
    {
        "export.py": """
import coremltools as ct
import timm
import torch


def export():
    model = timm.create_model("resnet18.a1_in1k", pretrained=True).eval()
    traced = torch.jit.trace(model, torch.rand(1, 3, 224, 224))
    return ct.convert(traced)
""",
    },
    {
        "resnet18": {
            "source": "coreml_gate_models:build_resnet18",
            "convert": "export.py:export",
            "inputs": {"input_0": [1, 3, 224, 224]},
        }
    },
    ("converts `timm.create_model('resnet18.a1_in1k', pretrained=True)`",),
    runs=False,
)
_HUGGING_FACE: Final = Repository(
    {
        "src/tagger/__init__.py": "",
        "src/tagger/configuration.py": """
class TaggerConfig:
    def __init__(self, vocabulary=100, width=16):
        self.vocabulary, self.width = vocabulary, width
""",
        "src/tagger/modeling.py": """
import torch
from torch import nn

from .configuration import TaggerConfig


class PreTrained(nn.Module):
    config_class = TaggerConfig


class TaggerModel(PreTrained):
    def __init__(self, config):
        super().__init__()
        self.embedding = nn.Embedding(config.vocabulary, config.width)
        self.head = nn.Linear(config.width, 3)

    def forward(self, input_ids, attention_mask):
        hidden = self.embedding(input_ids) * attention_mask.unsqueeze(-1)
        return {"logits": self.head(hidden)}
""",
        "scripts/export.py": """
import coremltools as ct
import numpy as np
import torch
from tagger.configuration import TaggerConfig
from tagger.modeling import TaggerModel

LENGTH = 32


def export():
    config = TaggerConfig(vocabulary=50)
    model = TaggerModel(config)
    inputs = (torch.zeros(1, LENGTH, dtype=torch.long), torch.ones(1, LENGTH, dtype=torch.long))
    program = torch.export.export(model.eval(), inputs).run_decompositions({})
    return ct.convert(
        program,
        inputs=[
            ct.TensorType(name="input_ids", shape=(1, LENGTH), dtype=np.int32),
            ct.TensorType(name="attention_mask", shape=(1, LENGTH), dtype=np.int32),
        ],
    )
""",
    },
    {
        "tagger_model": {
            "source": "coreml_gate_models:build_tagger_model",
            "convert": "scripts/export.py:export",
            "inputs": {"input_ids": [1, 32], "attention_mask": [1, 32]},
        }
    },
    ("converts `TaggerModel(TaggerConfig(vocabulary=50))`",),
)
_LIGHTNING: Final = Repository(
    {
        "net.py": """
from torch import nn


class Regressor(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(5, width), nn.Linear(width, 1))

    def forward(self, rows):
        return self.layers(rows)
""",
        "train.py": """
import lightning as L
from net import Regressor


class LitRegressor(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = Regressor(width=8)

    def forward(self, rows):
        return self.net(rows)

    def training_step(self, batch, index):
        return self(batch[0]).sum()
""",
        "export.py": """
import coremltools as ct
import torch
from train import LitRegressor


def export(checkpoint):
    lit = LitRegressor.load_from_checkpoint(checkpoint)
    traced = torch.jit.trace(lit.net, torch.rand(1, 5))
    return ct.convert(traced)
""",
    },
    {
        "lit_regressor": {
            "source": "train.py:LitRegressor",
            "inputs": {"rows": [1, 5]},
        }
    },
    ("`export` converts (export.py:10), but takes `checkpoint`, and the gate passes only the module: ",),
)
_SOURCE_FOLDER: Final = Repository(
    {
        "src/vision/__init__.py": "",
        "src/vision/nets/__init__.py": "",
        "src/vision/nets/depth.py": """
from torch import nn

from ..blocks import Block


class DepthNet(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.encoder = Block(3, width)
        self.decoder = nn.Conv2d(width, 1, 3, padding=1)

    def forward(self, image):
        return self.decoder(self.encoder(image))


def depth_net():
    return DepthNet(width=4).eval()
""",
        "src/vision/blocks.py": """
from torch import nn


class Block(nn.Module):
    def __init__(self, channels, out):
        super().__init__()
        self.conv = nn.Conv2d(in_channels=channels, out_channels=out, kernel_size=3, padding=1)

    def forward(self, x):
        return self.conv(x).relu()
""",
        "src/vision/export.py": """
import coremltools as ct
import torch


def _convert(program, size):
    image = ct.ImageType(name="image", shape=(1, 3, size, size), scale=1 / 255.0, bias=[0, 0, 0])
    return ct.convert(program, inputs=[image], minimum_deployment_target=ct.target.iOS17)


def to_core_ml(net, size=48):
    program = torch.jit.trace(net.eval(), torch.rand(1, 3, size, size))
    return _convert(program, size)
""",
        "main.py": """
from vision.export import to_core_ml
from vision.nets.depth import depth_net

to_core_ml(depth_net()).save("Depth.mlpackage")
""",
    },
    {
        "depth_net": {
            "source": "vision.nets.depth:depth_net",
            "convert": "src/vision/export.py:to_core_ml",
            "deployment-target": "iOS17",
            "inputs": {"image": [1, 3, 48, 48]},
            "image": {"color": "RGB", "scale": 1 / 255, "bias": (0, 0, 0)},
        }
    },
)
_NOTEBOOKS: Final = Repository(
    {
        "train.ipynb": (
            '{"cells": [{"cell_type": "code", "source": ["import torch\\n", "class Net(nn.Module):\\n"]}]}'
        ),
        "export.ipynb": '{"cells": [{"cell_type": "code", "source": ["ct.convert(traced)\\n"]}]}',
        "utilities.py": "def show(x):\n    print(x)\n",
    },
    {},
    (
        "`train.ipynb` defines a module, but the gate does not run notebooks: move the module to a script.",
        (
            "`export.ipynb` converts to Core ML, but the gate does not run notebooks: move the conversion to "
            "a script."
        ),
    ),
)
_SEVERAL: Final = Repository(
    {
        "nets.py": """
from torch import nn


class Small(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(4, 2)

    def forward(self, x):
        return self.line(x)


class Large(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(8, 2)

    def forward(self, x):
        return self.line(x)


class Third(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(6, 2)

    def forward(self, x):
        return self.line(x)
""",
        "export.py": """
import coremltools as ct
import torch
from nets import Large, Small


def small():
    return ct.convert(torch.jit.trace(Small(), torch.rand(2, 4)), inputs=[ct.TensorType(shape=(2, 4))])


def large():
    net = Large()
    net.load_state_dict(torch.load("large.pth"))
    traced = torch.jit.trace(net, torch.rand(2, 8))
    package = ct.convert(traced)
    return package
""",
        "any.py": """
import coremltools as ct
import torch


def convert_any(model):
    return ct.convert(torch.jit.trace(model, torch.rand(1, 4)))
""",
        "data.py": """
import torch
from nets import Small
from torch.utils.data import DataLoader


def rows():
    return DataLoader(torch.rand(8, 4))
""",
    },
    {
        "small": {"source": "nets.py:Small", "convert": "export.py:small"},
        "large": {"source": "nets.py:Large", "convert": "export.py:large", "inputs": {"x": [2, 8]}},
        "third": {"source": "nets.py:Third", "inputs": {"x": [1, 6]}},
    },
    (
        "# Not known: `convert_any` (any.py:7) converts a module, and nothing shows which of `Small`, ",
        "export.py:13 loads weights, which it does not have then",
    ),
    runs=False,
)
_ARGPARSE: Final = Repository(
    {
        "model.py": """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width):
        super().__init__()
        torch.manual_seed(0)
        self.line = nn.Linear(4, width)

    def forward(self, x):
        return self.line(x)
""",
        "convert.py": """
import argparse

import coremltools as ct
import torch
from model import Net


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--width", type=int, default=12)
    parser.add_argument("--batch-size", type=int, default=3)
    parser.add_argument("--output", default="out/Net.mlpackage")
    return parser.parse_args()


def main():
    args = parse()
    model = Net(args.width).eval()
    traced = torch.jit.trace(model, torch.rand(args.batch_size, 4))
    rows = ct.TensorType(name="x", shape=(args.batch_size, 4))
    ct.convert(traced, inputs=[rows]).save(args.output)


if __name__ == "__main__":
    main()
""",
    },
    {
        "net": {
            "source": "coreml_gate_models:build_net",
            "package": "out/Net.mlpackage",
            "build": ["python", "convert.py"],
            "inputs": {"x": [3, 4]},
        }
    },
    ("converts `Net(12)`",),
)
_NEEDS_OPTIONS: Final = Repository(
    {
        "model.py": _ARGPARSE.files["model.py"].replace("width):", "width=2):"),
        "convert.py": _ARGPARSE.files["convert.py"]
        .replace('"--width", type=int, default=12', '"--width", type=int, required=True')
        .replace("default=3", "default=5"),
    },
    {"net": {"source": "model.py:Net", "inputs": {"x": [5, 4]}}},
    ("convert.py:22 converts and saves `out/Net.mlpackage`, but its script needs `width`: write the ",),
)
_EXPORTED: Final = Repository(
    {
        "net.py": """
import torch
from torch import nn


class Filter(nn.Module):
    def __init__(self):
        super().__init__()
        self.taps = nn.Parameter(torch.ones(1, 1, 9))

    def forward(self, audio):
        return nn.functional.conv1d(audio.unsqueeze(1), self.taps)


def convert(module, compute_precision=None):
    import coremltools as ct

    rate = 16_000
    example = {"audio": torch.randn(1, rate // 10)}
    program = torch.export.export(module, args=(), kwargs=example).run_decompositions({})
    return ct.convert(program, inputs=[ct.TensorType(name="audio", shape=(1, rate // 10))])
""",
    },
    {"filter": {"source": "net.py:Filter", "convert": "net.py:convert", "inputs": {"audio": [1, 1600]}}},
)
_IMAGES: Final = Repository(
    {
        "net.py": """
import torch
from torch import nn


class Grey(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, picture):
        return {"mask": self.conv(picture), "mean": picture.mean((2, 3))}
""",
        "export.py": """
import coremltools as ct
import torch
from net import Grey

from settings import scale_of


def export():
    traced = torch.jit.trace(Grey().eval(), torch.rand(1, 1, 64, 48), strict=False)
    shape = (1, 1, 64, 48)
    image = ct.ImageType(
        name="picture", shape=shape, scale=scale_of("grey"), color_layout=ct.colorlayout.GRAYSCALE
    )
    return ct.convert(traced, inputs=[image])
""",
        "settings.py": "def scale_of(name):\n    return 1 / 255\n",
    },
    {
        "grey": {
            "source": "net.py:Grey",
            "convert": "export.py:export",
            "inputs": {"picture": [1, 1, 64, 48]},
        }
    },
    (
        "the scale, bias or color of the image is computed in the script: copy it to `image` below",
        "# image = {",
    ),
)
_TEXT: Final = Repository(
    {
        "encoder.py": """
from torch import nn


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(64, 8)

    def forward(self, tokens):
        return self.table(tokens).mean(1)
""",
        "convert.py": """
import coremltools as ct
import torch
from encoder import Encoder
from transformers import AutoTokenizer

tokens = AutoTokenizer.from_pretrained("some/tokenizer")("a text", return_tensors="pt")["input_ids"]
package = ct.convert(torch.jit.trace(Encoder(), tokens), inputs=[ct.TensorType(shape=tokens.shape)])
package.save("Encoder.mlpackage")
""",
    },
    {
        "encoder": {
            "source": "encoder.py:Encoder",
            "package": "Encoder.mlpackage",
            "build": ["python", "convert.py"],
            "inputs": {"tokens": [1, 16]},
        }
    },
    ("shape guessed from the layer at encoder.py:8",),
    runs=False,
)
_AUDIO: Final = Repository(
    {
        "audio/model.py": """
import torch
from torch import nn

SAMPLE_RATE = 16000
SECONDS = 2


class KeywordNet(nn.Module):
    def __init__(self, n_mels=40, classes=12):
        super().__init__()
        self.rnn = nn.GRU(n_mels, 32, batch_first=True)
        self.out = nn.Linear(32, classes)

    def forward(self, mel):
        y, _ = self.rnn(mel)
        return self.out(y[:, -1])


class Wave(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(1, 8, 25)

    def forward(self, wave):
        return self.conv(wave).mean(-1)


def example():
    wave = torch.randn(1, 1, SECONDS * SAMPLE_RATE)
    return wave
""",
    },
    {
        "keyword_net": {"source": "audio/model.py:KeywordNet", "inputs": {"mel": [1, 16, 40]}},
        "wave": {"source": "audio/model.py:Wave", "inputs": {"wave": [1, 1, 32000]}},
    },
)

REPOSITORIES: Final = {
    "timm-like": _TIMM,
    "helpers and wrapped layers": _HELPER,
    "torchvision-like": _TORCHVISION,
    "a model of a library": _LIBRARY,
    "hf-like": _HUGGING_FACE,
    "lightning-like": _LIGHTNING,
    "a package under src": _SOURCE_FOLDER,
    "notebooks only": _NOTEBOOKS,
    "several models": _SEVERAL,
    "argparse": _ARGPARSE,
    "argparse with a required option": _NEEDS_OPTIONS,
    "torch.export of a module that is given": _EXPORTED,
    "image inputs and dict outputs": _IMAGES,
    "text inputs": _TEXT,
    "audio inputs": _AUDIO,
}
