"""The base of every contract model: frozen, no unknown keys, no silent coercion of numbers."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Contract"]


class Contract(BaseModel):
    """Frozen and closed: an unknown field is an error, not a surprise."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
