"""What the page of pick-up walls asks of the hub and tells it, while somebody looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from hub.pages.back_office import BackOffice

__all__ = ["WallsOffice", "parcel_path"]

Json = Mapping[str, Any]
ROWS_MAX = 100
"""Of a list, on the page."""


def parcel_path(key: str) -> str:
    """Where the hub has a parcel: a label may be an address itself, with all that means there.

    >>> parcel_path("text:https://parcel.example/?n=1#2")
    'parcels/text%3Ahttps%3A%2F%2Fparcel.example%2F%3Fn%3D1%232'
    """
    return f"parcels/{quote(key, safe='')}"


class WallsOffice(BackOffice):
    """The hub's walls, orders, parcels and routes, asked for as whoever looks."""

    async def walls(self) -> Sequence[Json] | None:
        """The store's walls; None if the hub does not answer."""
        return await self._rows("/api/v1/walls")

    async def wall(self, wall_id: str) -> Json | None:
        """All that is known of a wall now; None if the hub does not answer."""
        found: Json | None = await self._get(f"/api/v1/walls/{wall_id}")
        return found

    async def orders(self, state: str) -> Sequence[Json] | None:
        """Orders of a state, empty: all; None if the hub does not answer."""
        return await self._rows(f"/api/v1/orders?limit={ROWS_MAX}", state)

    async def parcels(self, state: str) -> Sequence[Json] | None:
        """Parcels of a state, empty: all; None if the hub does not answer."""
        return await self._rows(f"/api/v1/parcels?limit={ROWS_MAX}", state)

    async def route(self, route_id: str) -> Json | None:
        """A route; None if there is none."""
        found: Json | None = await self._get(f"/api/v1/routes/{route_id}")
        return found

    async def tell(self, path: str, body: Json) -> tuple[bool, str]:
        """Asks for something below /api/v1; whether it was done, and the hub's words if not."""
        return await self._post(f"/api/v1/{path}", body)

    async def _rows(self, path: str, state: str = "") -> Sequence[Json] | None:
        found = await self._get(f"{path}&state={state}" if state else path)
        return None if found is None else found["items"]
