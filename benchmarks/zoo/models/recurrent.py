"""Classifiers of sequences: two layers of LSTM in both directions, and two of GRU in one."""

from models.drawing import drawn_normal
from torch import Tensor, nn

LENGTH = 64
FEATURES = 64
WIDTH = 128
CLASSES = 12


class Classifier(nn.Module):
    """A (1, ``LENGTH``, ``FEATURES``) sequence to the logits of its last step."""

    def __init__(self, recurrent: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.recurrent = recurrent
        self.head = nn.Linear(WIDTH * (2 if recurrent.bidirectional else 1), CLASSES)

    def forward(self, sequence: Tensor) -> Tensor:
        states, _ = self.recurrent(sequence)
        return self.head(states[:, -1])


def lstm() -> nn.Module:
    return Classifier(nn.LSTM(FEATURES, WIDTH, num_layers=2, bidirectional=True, batch_first=True))


def gru() -> nn.Module:
    return Classifier(nn.GRU(FEATURES, WIDTH, num_layers=2, batch_first=True))


def sequences() -> list[Tensor]:
    return drawn_normal((1, LENGTH, FEATURES))
