"""Tokens of visits and wallets: no address has one, and whoever comes without one is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.hub.doors import Door


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    return Door(make_shop(), staff_accounts=True)


def test_an_answer_repeats_no_secret_from_an_address(door: Door) -> None:
    phone = door.browser()
    token = phone.post("/api/v1/phones/visits").json()["token"]
    for path in (
        f"/api/v1/phones/{token}",
        f"/api/v1/phones/{token}/receipt.pdf",
        f"/api/v1/wallets/{token}/cards",
        f"/receipt/{token}",
        f"/receipt/v-1.{token}/pdf",
    ):
        for answer in (phone.get(path), phone.post(path)):
            assert answer.status_code in (404, 405), path
            assert token not in answer.text
    assert phone.get("/api/v1/visits/v-none").json()["instance"] == "/api/v1/visits/v-none"
