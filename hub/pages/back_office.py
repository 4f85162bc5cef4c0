"""What the review and dispute pages ask of the hub and tell it. Asked while somebody looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from hub.pages.feed import bearer

__all__ = ["BackOffice"]

NO_ANSWER = "The hub did not answer; trying again changes nothing twice."


class BackOffice:
    """The hub's queues; `fault` says why nothing new is known. `token` is the session of who
    looks, as whom the hub is asked; without one it is asked as this process."""

    def __init__(self, client: httpx.AsyncClient, token: str = "") -> None:
        self._client = client
        self._headers = bearer(token)
        self.fault = ""

    async def reviews(self) -> Mapping[str, Any] | None:
        """Visits with unclear lines; None if the hub does not answer."""
        return await self._get("/api/v1/staff/reviews")

    async def disputes(self) -> Mapping[str, Any] | None:
        """Disputes, open ones first; None if the hub does not answer."""
        return await self._get("/api/v1/staff/disputes")

    async def decide_review(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/reviews/decide", body)

    async def decide_dispute(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/disputes/decide", body)

    async def set_aftercare(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/aftercare", body)

    async def ask_for(self, reach_id: str) -> None:
        """Asks the node for its evidence of a reach."""
        await self._post(f"/api/v1/staff/reaches/{reach_id}/evidence", {})

    async def picture(self, sha256: str) -> tuple[bytes, str] | None:
        """A piece of evidence and its media type."""
        try:
            answer = await self._client.get(
                f"/api/v1/staff/evidence/{sha256}", headers=self._headers
            )
        except httpx.HTTPError:
            return None
        if answer.status_code != 200:
            return None
        return answer.content, answer.headers["content-type"]

    async def _get(self, path: str) -> Mapping[str, Any] | None:
        try:
            answer = await self._client.get(path, headers=self._headers)
            found: Mapping[str, Any] = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            self.fault = "The hub does not answer; trying again…"
            return None
        self.fault = ""
        return found

    async def _post(self, path: str, body: Mapping[str, Any]) -> tuple[bool, str]:
        try:
            answer = await self._client.post(path, json=dict(body), headers=self._headers)
        except httpx.HTTPError:
            return False, NO_ANSWER
        if answer.is_success:
            return True, ""
        try:
            detail = answer.json().get("detail", "")
        except ValueError:
            detail = ""
        return False, detail if isinstance(detail, str) and detail else str(answer.status_code)
