"""The shop behind a simulated wall: it posts the orders of who comes, and hands the codes on.

The simulated wall says in its truth folder who comes for what (orders.json); a shop's own system
would know. What the hub answers, a code for each order, goes back the same way (codes.jsonl), as a
mail with the code reaches a customer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sortie.serve import post_json

__all__ = ["WallShop"]


class WallShop:
    """One wall's orders. `step` does what can be done now and may be called often."""

    def __init__(self, hub_url: str, truth: Path) -> None:
        self._url = f"{hub_url}/api/v1/orders"
        self._truth = truth
        self._waiting: list[dict[str, Any]] | None = None

    def step(self) -> None:
        """Posts orders that are not posted yet; OSError while the hub does not take them."""
        if self._waiting is None:
            self._waiting = self._orders()
        while self._waiting:
            order = self._waiting[0]
            answer = post_json(
                self._url,
                {
                    "order_id": order["order_id"],
                    "parcels": [{"label": text} for text in order["parcels"]],
                },
                key=f"wall-shop-{order['order_id']}",
            )
            self._waiting.pop(0)
            if order["needs_code"]:
                row = {"order_id": order["order_id"], "code": answer["code"]}
                with (self._truth / "codes.jsonl").open("a", encoding="utf-8") as out:
                    out.write(json.dumps(row) + "\n")

    def _orders(self) -> list[dict[str, Any]] | None:
        """Who comes for what; None while nobody has said so."""
        try:
            found = json.loads((self._truth / "orders.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            # It is not there yet, or half written.
            return None
        return [one for one in found if one["behaviour"] != "nobody"]
