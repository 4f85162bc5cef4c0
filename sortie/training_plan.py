"""How much is trained: numbers of pictures and epochs for a quick look and for what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.training.dataset import Split
from models.training.detector import DetectorRecipe
from models.training.fit import FitRecipe

__all__ = ["PICTURES_PER_SEED", "PLANS", "TRAIN_SEED", "VAL_SEED", "Plan", "split"]

TRAIN_SEED: Final = 1_000_000
VAL_SEED: Final = 2_000_000
"""Training seeds begin here, held-out ones there; scenarios use far smaller numbers, so that no
picture of a scored store day was ever trained on."""
PICTURES_PER_SEED: Final = 24
"""A seed is one invented store, seen by four cameras in six moments each."""


def split(train: int, val: int) -> Split:
    """Seeds of a dataset of that many stores; a larger one contains the smaller."""
    return Split(range(TRAIN_SEED, TRAIN_SEED + train), range(VAL_SEED, VAL_SEED + val))


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes and recipes of one budget."""

    shelf: Split
    ceiling: Split
    crops: Split
    pairs: Split
    shelf_recipe: DetectorRecipe
    ceiling_recipe: DetectorRecipe
    embedding_recipe: FitRecipe
    change_recipe: FitRecipe


PLANS: Final = {
    "quick": Plan(
        shelf=split(40, 6),
        ceiling=split(40, 6),
        crops=split(6, 2),
        pairs=split(10, 3),
        shelf_recipe=DetectorRecipe(epochs=8, close_mosaic=2),
        ceiling_recipe=DetectorRecipe(epochs=10, close_mosaic=2),
        embedding_recipe=FitRecipe(epochs=4),
        change_recipe=FitRecipe(epochs=6),
    ),
    "full": Plan(
        shelf=split(150, 12),
        ceiling=split(100, 12),
        crops=split(30, 2),
        pairs=split(44, 6),
        shelf_recipe=DetectorRecipe(epochs=9, close_mosaic=3),
        ceiling_recipe=DetectorRecipe(epochs=9, close_mosaic=3),
        embedding_recipe=FitRecipe(epochs=14),
        change_recipe=FitRecipe(epochs=14),
    ),
}
"""`quick` takes a quarter of an hour on two CPU cores, `full` an hour and more."""
