"""How the garbage collector treats a hub: much is loaded once, and messages leave no cycles."""

from __future__ import annotations

import gc

__all__ = ["settle_collector"]

YOUNG_MAX = 100_000
"""New objects before they are looked through: some ten megabytes, and a few batches of messages."""


def settle_collector() -> None:
    """What is loaded by now stays and need not be walked again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX, 10, 10)
