"""The shop behind a simulated wall: each order once, and again while the hub is away."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from sortie.parcels import shop as shops

ORDERS = [
    {"order_id": "a", "parcels": ["one"], "behaviour": "take", "needs_code": True},
    {"order_id": "b", "parcels": ["two"], "behaviour": "nobody", "needs_code": False},
    {"order_id": "c", "parcels": ["three", "four"], "behaviour": "take", "needs_code": False},
]


def test_orders_are_posted_once_and_codes_handed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[tuple[str, Any, str | None]] = []
    away = True

    def post(url: str, body: Mapping[str, Any], *, key: str | None = None) -> Any:
        if away:
            raise OSError("away")
        posted.append((url, body, key))
        return {"code": f"code of {body['order_id']}"}

    monkeypatch.setattr(shops, "post_json", post)
    shop = shops.WallShop("http://hub", tmp_path)
    shop.step()
    (tmp_path / "orders.json").write_text(json.dumps(ORDERS)[:40], encoding="utf-8")
    shop.step()
    (tmp_path / "orders.json").write_text(json.dumps(ORDERS), encoding="utf-8")
    with pytest.raises(OSError, match="away"):
        shop.step()
    away = False
    shop.step()
    shop.step()
    labels = [{"label": "three"}, {"label": "four"}]
    assert posted == [
        ("http://hub/api/v1/orders", {"order_id": "a", "parcels": [{"label": "one"}]},
         "wall-shop-a"),
        ("http://hub/api/v1/orders", {"order_id": "c", "parcels": labels}, "wall-shop-c"),
    ]  # fmt: skip
    told = (tmp_path / "codes.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in told] == [{"order_id": "a", "code": "code of a"}]
