"""Image classifiers of transformers in their published sizes, randomly initialised."""

import torch
from models.drawing import drawn_for, drawn_images
from torch import Tensor, nn
from transformers import (
    ConvNextConfig,
    ConvNextForImageClassification,
    EfficientNetConfig,
    EfficientNetForImageClassification,
    ResNetConfig,
    ResNetForImageClassification,
    SwinConfig,
    SwinForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

SIZE = 224
CLASSES = 1000


def images() -> list[Tensor]:
    return drawn_images(SIZE)


def resnet50() -> nn.Module:
    model = ResNetForImageClassification(ResNetConfig(num_labels=CLASSES))
    return drawn_for(torch.cat(images()), model)


def efficientnet_b0() -> nn.Module:
    config = EfficientNetConfig(
        num_labels=CLASSES, width_coefficient=1.0, depth_coefficient=1.0, hidden_dim=1280, image_size=SIZE
    )
    return drawn_for(torch.cat(images()), EfficientNetForImageClassification(config))


def convnext_tiny() -> nn.Module:
    return ConvNextForImageClassification(ConvNextConfig(num_labels=CLASSES))


def vit_small() -> nn.Module:
    config = ViTConfig(
        num_labels=CLASSES, hidden_size=384, num_attention_heads=6, intermediate_size=1536, image_size=SIZE
    )
    return ViTForImageClassification(config)


def swin_tiny() -> nn.Module:
    return SwinForImageClassification(SwinConfig(num_labels=CLASSES))
