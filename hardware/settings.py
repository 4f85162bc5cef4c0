"""The base of every driver's settings: frozen, no unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["DriverSettings"]


class DriverSettings(BaseModel):
    """Frozen and closed; each field carries its range and a description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
