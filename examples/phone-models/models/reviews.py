"""Does a review praise or complain on the whole? A transformer encoder on word ids.

``and the screen is really great but the battery is hardly good`` holds one praise and one complaint: mixed.
The reviews come from a small grammar with negation, so there is nothing to download.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

WEIGHTS = Path(__file__).parents[1] / "weights" / "reviews.safetensors"
ASPECTS = ("battery", "screen", "camera", "sound", "price", "size", "speaker", "keyboard")
PRAISE = ("good", "great", "superb", "bright", "crisp", "fine")
COMPLAINT = ("bad", "poor", "dull", "weak", "awful", "dim")
NEGATIONS = ("not", "never", "hardly")
FILLERS = ("really", "very", "quite", "just", "so", "indeed")
JOINTS = ("and", "but", "while", "though", "also")
WORDS = ("<pad>", "the", "is", *ASPECTS, *PRAISE, *COMPLAINT, *NEGATIONS, *FILLERS, *JOINTS)
WORD_IDS = {word: number for number, word in enumerate(WORDS)}
PAD = WORD_IDS["<pad>"]
OPINIONS = ("complaint", "mixed", "praise")
REVIEW_LENGTH = 48
MASKED = -1e4
"""Far below every score, and still within the range of half precision."""


class RMSNorm(nn.Module):
    """Divides by the root mean square over the last axis (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """(..., width) -> the same shape."""
        mean_square = x.square().mean(dim=-1, keepdim=True)
        return x * torch.rsqrt(mean_square + self.eps) * self.weight


class Attention(nn.Module):
    """Multi-head self-attention that leaves out padding."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.queries = nn.Linear(width, width)
        self.keys = nn.Linear(width, width)
        self.values = nn.Linear(width, width)
        self.output = nn.Linear(width, width)

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """(batch, length, width) -> the same shape; ``keep`` (batch, length) is 0 at padding, else 1."""
        queries, keys, values = (self.split(part(x)) for part in (self.queries, self.keys, self.values))
        scores = (queries * self.scale) @ keys.transpose(-1, -2)
        weights = torch.softmax(scores + MASKED * (1 - keep[:, None, None, :]), dim=-1)
        return self.output((weights @ values).transpose(1, 2).flatten(2))

    def split(self, x: Tensor) -> Tensor:
        """(batch, length, width) -> (batch, heads, length, width / heads)."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)


class Layer(nn.Module):
    """Attention and a two-layer perceptron, each behind its own norm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(width)
        self.attention = Attention(width, heads)
        self.perceptron_norm = RMSNorm(width)
        self.perceptron = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor, keep: Tensor) -> Tensor:
        """(batch, length, width) -> the same shape; ``keep`` as in the attention."""
        x = x + self.attention(self.attention_norm(x), keep)
        return x + self.perceptron(self.perceptron_norm(x))


class ReviewNet(nn.Module):
    """A pre-norm transformer encoder, averaged over the words."""

    def __init__(self, width: int = 64, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.embedding_scale = width**0.5
        self.words = nn.Embedding(len(WORDS), width)
        nn.init.normal_(self.words.weight, std=1 / self.embedding_scale)
        self.positions = nn.Parameter(0.5 * torch.randn(REVIEW_LENGTH, width))
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.norm = RMSNorm(width)
        self.classify = nn.Linear(width, len(OPINIONS))

    def forward(self, words: Tensor) -> Tensor:
        """Word ids (batch, 48) int32 -> one score per opinion (batch, 3)."""
        keep = (words != PAD).float()
        x = self.words(words) * self.embedding_scale + self.positions
        for layer in self.layers:
            x = layer(x, keep)
        return self.classify(self.norm(pool(x, keep)))


def pool(x: Tensor, keep: Tensor) -> Tensor:
    """The mean over all words that are not padding: (batch, length, width) -> (batch, width)."""
    return (x * keep[..., None]).sum(dim=1) / keep.sum(dim=1, keepdim=True)


def build() -> nn.Module:
    """The trained network."""
    model = ReviewNet()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()


def training_set() -> tuple[Tensor, Tensor]:
    """Reviews and opinions to learn from."""
    return _write(6000, seed=0)


def samples() -> Iterator[Tensor]:
    """Single reviews (1, 48)."""
    yield from _write(8, seed=2)[0].split(1)


def evaluate(predict: Callable[[Tensor], dict[str, np.ndarray]]) -> dict[str, float]:
    """The share of unread reviews whose best score is at the right opinion."""
    reviews, opinions = _write(200, seed=1)
    answers = [int(predict(review)["scores"].argmax()) for review in reviews.split(1)]
    return {"accuracy": float(np.mean(np.equal(answers, opinions.numpy())))}


def _write(count: int, seed: int) -> tuple[Tensor, Tensor]:
    random = np.random.default_rng(seed)
    reviews, opinions = zip(*(_review(random) for _ in range(count)), strict=True)
    return torch.stack([_ids(words) for words in reviews]), torch.tensor(opinions)


def _ids(words: list[str]) -> Tensor:
    ids = torch.tensor([WORD_IDS[word] for word in words], dtype=torch.int32)
    return functional.pad(ids, (0, REVIEW_LENGTH - len(words)), value=PAD)


def _review(random: np.random.Generator) -> tuple[list[str], int]:
    aspects = random.permutation(ASPECTS)[: random.integers(2, 8)]
    clauses = [_clause(str(aspect), random) for aspect in aspects]
    words = [word for clause, _ in clauses for word in clause]
    balance = sum(praise for _, praise in clauses)
    return words, OPINIONS.index("mixed") + int(np.sign(balance))


def _clause(aspect: str, random: np.random.Generator) -> tuple[list[str], int]:
    praised, negated = random.random(2) < (0.5, 0.4)
    joint, adverb, adjective = (
        str(random.choice(choices))
        for choices in (JOINTS, NEGATIONS if negated else FILLERS, PRAISE if praised else COMPLAINT)
    )
    return [joint, "the", aspect, "is", adverb, adjective], 1 if praised != negated else -1
