"""How long things are kept, in days; 0 forgets at the next run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Retention"]

Days = Annotated[float, Field(ge=0, le=36_500)]


class Retention(BaseModel):
    """Events, ledger, receipts, prices and stock are books: they are kept, and name nobody."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    every_s: Annotated[
        float, Field(ge=10, le=7 * 86_400, description="between two runs of the hub's own job")
    ] = 3_600.0
    visits_days: Annotated[
        Days,
        Field(description="of a closed visit: codes, tokens, where the body went, open doubts"),
    ] = 90.0
    payers_days: Annotated[
        Days, Field(description="the name behind a payer's number, after it was last used")
    ] = 400.0
    inputs_days: Annotated[
        Days, Field(description="messages of nodes and commands that a snapshot made needless")
    ] = 7.0
    orders_days: Annotated[
        Days,
        Field(description="of a closed order: its customer's name, telephone and codes"),
    ] = 30.0
    dead_letters_days: Annotated[Days, Field(description="messages that were refused")] = 30.0
