"""The nets of published.csv; random weights cost what trained ones do."""

import sys
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import (
    DistilBertConfig,
    DistilBertForSequenceClassification,
    MobileNetV2Config,
    MobileNetV2ForImageClassification,
    MobileViTV2Config,
    MobileViTV2ForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
)

sys.path.insert(0, str(Path(__file__).parents[1] / "zoo"))

from models.drawing import drawn_images
from models.mobilenetv3 import small

CLASSES = 1000


def resnet50() -> nn.Module:
    return ResNetForImageClassification(ResNetConfig(num_labels=CLASSES))


def mobilenet_v2() -> nn.Module:
    return MobileNetV2ForImageClassification(MobileNetV2Config(num_labels=CLASSES))


def mobilenet_v3_small() -> nn.Module:
    return small()


def mobilevit_v2() -> nn.Module:
    return MobileViTV2ForImageClassification(MobileViTV2Config(num_labels=CLASSES))


def distilbert() -> nn.Module:
    return DistilBertForSequenceClassification(DistilBertConfig())


def images() -> list[Tensor]:
    return drawn_images(224)


def large_images() -> list[Tensor]:
    return drawn_images(256)


def tokens() -> list[Tensor]:
    return [torch.arange(128, dtype=torch.int64).reshape(1, -1)]
