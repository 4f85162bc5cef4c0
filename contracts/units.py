"""Units as types: the unit stands last in a field's name and its bounds stand here.

All floats that cross a wire are finite; NaN and infinities are refused at the boundary.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

__all__ = [
    "COUNT_MAX",
    "Count",
    "Finite",
    "Grams",
    "LogLikelihood",
    "Metres",
    "PointM",
    "PositiveMetres",
    "Probability",
    "Seconds",
    "Vector3M",
]

COUNT_MAX = 2**53
"""Every JSON reader and every database holds a whole number up to here exactly."""
Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Seconds = Annotated[float, Field(allow_inf_nan=False, ge=0.0, le=1e10)]
"""A device's monotonic clock, or a duration, in seconds."""
Metres = Annotated[float, Field(allow_inf_nan=False, ge=-10_000.0, le=10_000.0)]
PositiveMetres = Annotated[float, Field(allow_inf_nan=False, gt=0.0, le=10_000.0)]
Grams = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
Probability = Annotated[float, Field(allow_inf_nan=False, ge=0.0, le=1.0)]
LogLikelihood = Annotated[float, Field(allow_inf_nan=False, ge=-1e6, le=1e6)]
"""Natural logarithm of a likelihood, up to a constant shared by its alternatives."""
PointM = tuple[Metres, Metres]
Vector3M = tuple[Metres, Metres, Metres]
