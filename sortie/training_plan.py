"""How much is trained: numbers of pictures and epochs for a quick look and for what ships."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from models.training.dataset import Split
from models.training.detector import DetectorRecipe
from models.training.fit import FitRecipe

__all__ = ["DAY_SEED", "PICTURES_PER_SEED", "PLANS", "TRAIN_SEED", "VAL_SEED", "Plan", "split"]

TRAIN_SEED: Final = 1_000_000
VAL_SEED: Final = 2_000_000
"""Training seeds begin here, held-out ones there; scenarios use far smaller numbers, so that no
picture of a scored store day was ever trained on."""
PICTURES_PER_SEED: Final = 24
"""A seed is one invented store, seen by four cameras in six moments each."""


DAY_SEED: Final = 500_000
"""Added to either: a seed of a day in the demo store instead of one of an invented store."""


def split(train: int, val: int, train_days: int = 0, val_days: int = 0) -> Split:
    """Seeds of a dataset of that many stores and days; a larger one contains the smaller."""

    def seeds(first: int, stores: int, days: int) -> tuple[int, ...]:
        day = first + DAY_SEED
        return (*range(first, first + stores), *range(day, day + days))

    return Split(seeds(TRAIN_SEED, train, train_days), seeds(VAL_SEED, val, val_days))


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
        shelf=split(30, 4, 10, 2),
        ceiling=split(30, 4, 10, 2),
        crops=split(6, 2),
        pairs=split(10, 3),
        shelf_recipe=DetectorRecipe(epochs=8, close_mosaic=2),
        ceiling_recipe=DetectorRecipe(epochs=10, close_mosaic=2),
        embedding_recipe=FitRecipe(epochs=4),
        change_recipe=FitRecipe(epochs=6),
    ),
    "full": Plan(
        shelf=split(200, 8, 160, 8),
        ceiling=split(200, 8, 160, 8),
        crops=split(30, 4),
        pairs=split(50, 6),
        shelf_recipe=DetectorRecipe(epochs=20, close_mosaic=5),
        ceiling_recipe=DetectorRecipe(epochs=20, close_mosaic=5),
        embedding_recipe=FitRecipe(epochs=8),
        change_recipe=FitRecipe(epochs=10),
    ),
}
"""`quick` takes a quarter of an hour on two CPU cores, `full` about two and a half hours. The
weights that ship went on from earlier ones (`--start-from`) for fewer epochs: their manifests say
so."""
