"""Trains the models again and writes their weights: ``python train.py [digits] [keywords] [reviews]``."""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from models import digits, keywords, reviews
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

WEIGHTS = Path(__file__).parent / "weights"
BATCH_SIZE = 64


@dataclass(frozen=True)
class Recipe:
    """How one network is trained."""

    network: type[nn.Module]
    epochs: int
    learning_rate: float = 3e-3


RECIPES = {
    "digits": Recipe(digits.DigitNet, epochs=15),
    "keywords": Recipe(keywords.KeywordNet, epochs=12),
    "reviews": Recipe(reviews.ReviewNet, epochs=8),
}
TRAINING_SETS = {
    "digits": digits.training_set,
    "keywords": keywords.training_set,
    "reviews": reviews.training_set,
}


def train(recipe: Recipe, inputs: Tensor, labels: Tensor, seed: int = 0) -> nn.Module:
    """The trained network; equal seeds give equal weights on one machine."""
    torch.manual_seed(seed)
    model = recipe.network()
    batches = DataLoader(TensorDataset(inputs, labels), BATCH_SIZE, shuffle=True)
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.epochs * len(batches))
    for _ in range(recipe.epochs):
        for some_inputs, some_labels in batches:
            optimizer.zero_grad()
            functional.cross_entropy(model(some_inputs), some_labels).backward()
            optimizer.step()
            schedule.step()
    return model.eval()


def main() -> None:
    """Trains the named models, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(RECIPES))
    torch.set_num_threads(1)
    for name in parser.parse_args().names:
        model = train(RECIPES[name], *TRAINING_SETS[name]())
        save_file(model.state_dict(), WEIGHTS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
