"""A U-Net whose bottom widens its view by dilated convolutions instead of further pooling."""

import torch
from models.drawing import drawn_for, drawn_images
from torch import Tensor, nn
from torch.nn import functional

SIZE = 128
WIDTHS = (16, 32, 64)
DILATIONS = (1, 2, 4, 8)


def block(channels_in: int, channels_out: int, dilation: int = 1) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, padding=dilation, dilation=dilation, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """An image to one map of logits per pixel; half of the upsampling is learnt, half bilinear."""

    def __init__(self) -> None:
        super().__init__()
        first, second, third = WIDTHS
        self.down = nn.ModuleList([block(3, first), block(first, second), block(second, third)])
        self.bottom = nn.Sequential(*[block(third, third, dilation) for dilation in DILATIONS])
        self.widen = nn.ConvTranspose2d(third, second, 2, stride=2)
        self.up = nn.ModuleList([block(2 * second, second), block(second + first, first)])
        self.head = nn.Conv2d(first, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        first = self.down[0](image)
        second = self.down[1](functional.max_pool2d(first, 2))
        bottom = self.bottom(self.down[2](functional.max_pool2d(second, 2)))
        x = self.up[0](torch.cat([self.widen(bottom), second], dim=1))
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
        return self.head(self.up[1](torch.cat([x, first], dim=1)))


def images() -> list[Tensor]:
    return drawn_images(SIZE)


def build() -> nn.Module:
    return drawn_for(torch.cat(images()), UNet())
