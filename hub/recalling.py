"""Which visits of the past a command is about: they are read back into memory before it is done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hub import commands as c
from hub.parcels.returns import sales_of
from hub.state import HubState
from hub.wallet.debts import may_pay

__all__ = ["Wanted", "recalled_by"]

Wanted = Callable[[dict[str, Any]], bool]
"""Whether a stored visit may be read back for whoever asks."""


def recalled_by(state: HubState, command: c.Command) -> list[tuple[str, Wanted]]:
    """The visits, each with who may have it read back."""
    if isinstance(command, c.RECALLED):
        return [] if command.visit_id is None else [(command.visit_id, _anybody)]
    if isinstance(command, c.ReturnGoods):
        return [(visit_id, _anybody) for visit_id in sales_of(state, command)]
    if isinstance(command, c.PayDebt):
        return [(command.visit_id, lambda visit: may_pay(visit, command))]
    return []


def _anybody(_visit: dict[str, Any]) -> bool:
    return True
