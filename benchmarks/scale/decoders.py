"""Decoders with a sliding window of keys and values as state, from 100 million to 1 billion parameters."""

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

VOCABULARY, TOKENS, WINDOW, HEAD = 16_000, 16, 64, 64


class Layer(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.before, self.after = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.register_buffer("keys", torch.zeros(1, WINDOW, width))
        self.register_buffer("values", torch.zeros(1, WINDOW, width))

    def forward(self, x: Tensor) -> Tensor:
        query, key, value = self.qkv(self.before(x)).chunk(3, -1)
        self.keys.copy_(torch.cat([self.keys[:, TOKENS:], key], 1))
        self.values.copy_(torch.cat([self.values[:, TOKENS:], value], 1))
        heads = [each.unflatten(-1, (-1, HEAD)).transpose(1, 2) for each in (query, self.keys, self.values)]
        x = x + self.out(scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2))
        return x + self.narrow(nn.functional.gelu(self.wide(self.after(x))))


class Decoder(nn.Module):
    def __init__(self, width: int, layers: int) -> None:
        super().__init__()
        self.table = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList([Layer(width) for _ in range(layers)])
        self.norm = nn.LayerNorm(width)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.table(tokens)
        for layer in self.layers:
            x = layer(x)
        return linear(self.norm(x), self.table.weight)


def decoder_100m() -> nn.Module:
    return Decoder(768, 12)


def decoder_400m() -> nn.Module:
    return Decoder(1280, 19)


def decoder_1b() -> nn.Module:
    return Decoder(2048, 19)


def tokens() -> list[dict[str, Tensor]]:
    made = torch.Generator().manual_seed(1)
    return [{"tokens": torch.randint(0, VOCABULARY, (1, TOKENS), generator=made)} for _ in range(4)]
