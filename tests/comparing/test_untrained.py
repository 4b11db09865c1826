import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from coreml_gate.comparing.untrained import untrained_signs


def _cnn() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1, stride=2),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def _mlp() -> nn.Sequential:
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 10))


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 32)
        self.rnn = nn.LSTM(32, 48, num_layers=2, bidirectional=True)
        self.head = nn.Linear(96, 12)


def _encoder() -> nn.Module:
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), 2)


def _digits() -> tuple[torch.Tensor, torch.Tensor]:
    data = load_digits()
    return torch.tensor(data.images, dtype=torch.float32).unsqueeze(1) / 16, torch.tensor(data.target)


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, epochs: int) -> float:
    """Trains on the digits; gives the accuracy on the last 297 that were held out."""
    images, labels = _digits()
    generator = torch.Generator().manual_seed(0)
    for _ in range(epochs):
        for batch in torch.randperm(1500, generator=generator).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        return float((model(images[1500:]).argmax(1) == labels[1500:]).float().mean())


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def test_fresh_convolutions_show_every_sign_but_zero_biases() -> None:
    statistics, norms, weights = untrained_signs(_cnn())
    assert statistics == "2 of 2 batch-norm layers have running statistics at their initial values"
    assert norms == "2 of 2 norm layers have weights of exactly 1 and biases of exactly 0"
    assert weights.startswith(
        "the weights of 2 of 2 layers are distributed exactly as torch initialises them"
    )


@pytest.mark.parametrize(("build", "layers"), [(_encoder, 8), (Tagger, 9), (_mlp, 2)])
def test_fresh_transformers_and_recurrent_nets_show_their_weights(
    build: type[nn.Module], layers: int
) -> None:
    signs = untrained_signs(build())
    assert any(sign.startswith(f"the weights of {layers} of {layers} layers") for sign in signs)


def test_zero_biases_after_an_initialisation_of_ones_own() -> None:
    model = _mlp()
    for layer in (model[1], model[4]):
        assert isinstance(layer, nn.Linear)
        nn.init.trunc_normal_(layer.weight, std=0.02)
        nn.init.zeros_(layer.bias)
    assert untrained_signs(model) == (
        "1 of 1 norm layers have weights of exactly 1 and biases of exactly 0",
        "2 of 2 layers with a bias have biases of exactly 0",
    )


def test_a_state_dict_tells_the_same() -> None:
    model = _cnn()
    assert untrained_signs(model.state_dict()) == untrained_signs(model)


def test_training_with_adam_removes_every_sign() -> None:
    model = _cnn()
    assert _train(model, torch.optim.Adam(model.parameters(), lr=1e-3), epochs=3) > 0.85
    assert untrained_signs(model) == ()


def test_training_with_decay_removes_every_sign() -> None:
    model = _mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-3)
    assert _train(model, optimizer, epochs=6) > 0.85
    assert untrained_signs(model) == ()


def test_a_model_without_weights_shows_nothing() -> None:
    assert untrained_signs(nn.ReLU()) == ()
    assert untrained_signs({}) == ()
