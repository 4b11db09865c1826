"""Repositories of six shapes, as files by path."""

from typing import Final

NET: Final = """
import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x))


class TinyNet(nn.Module):
    def __init__(self, channels=4):
        super().__init__()
        self.stem = nn.Conv2d(3, channels, 3)
        self.block = Block(channels)

    def forward(self, image):
        return self.block(self.stem(image)).mean((2, 3))
"""

ONE_SCRIPT: Final = {
    "net.py": NET
    + """

def export():
    import coremltools as ct

    example = torch.rand(1, 3, 32, 32)
    traced = torch.jit.trace(TinyNet().eval(), example)
    return ct.convert(
        traced,
        inputs=[ct.TensorType(name="image", shape=(1, 3, 48, 48))],
        minimum_deployment_target=ct.target.iOS16,
    )


if __name__ == "__main__":
    export().save("TinyNet.mlpackage")
""",
    "requirements.txt": "torch\n",
}

PACKAGE: Final = {
    "src/vision/__init__.py": "",
    "src/vision/layers.py": "from torch import nn\n\n\nclass Norm(nn.LayerNorm):\n    pass\n",
    "src/vision/classifier.py": """
from torch import nn

from .layers import Norm


class Classifier(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.head = nn.Linear(16, classes)
        self.norm = Norm(classes)

    def forward(self, features):
        return self.norm(self.head(features))


def ten_classes():
    model = Classifier(10)
    return model
""",
    "src/vision/encoder.py": """
from torch import nn


class TextEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(100, 8)

    def forward(self, tokens):
        return self.embedding(tokens).mean(1)
""",
    "tests/test_models.py": "from torch import nn\n\n\nclass Fake(nn.Module):\n    pass\n",
}

LIGHTNING: Final = {
    "train.py": """
import lightning as L
import torch
from torch import nn


class LitRegressor(L.LightningModule):
    def __init__(self, width=8):
        super().__init__()
        self.example_input_array = torch.zeros(1, 5)
        self.line = nn.Sequential(nn.Linear(5, width), nn.Linear(width, 1))

    def forward(self, rows):
        return self.line(rows)
""",
    "data.py": """
from torch.utils.data import DataLoader, TensorDataset
import torch


def validation_loader():
    loader = DataLoader(TensorDataset(torch.randn(32, 5), torch.randn(32)), batch_size=4)
    return loader
""",
}

ULTRALYTICS: Final = {
    "export.py": """
from ultralytics import YOLO

model = YOLO("weights/yolov8n.pt")
model.export(format="coreml", nms=True)
""",
}

NOTEBOOK: Final = {
    "model.py": NET,
    "export.ipynb": (
        '{"cells": [{"cell_type": "code", "source": ["import coremltools as ct\\n", '
        '"ct.convert(traced)\\n"]}], "nbformat": 4}'
    ),
}

LFS: Final = {
    ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
    "models/Depth.mlpackage/Manifest.json": "{}",
    "models/Depth.mlpackage/Data/com.apple.CoreML/weights/weight.bin": (
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n"
    ),
}
