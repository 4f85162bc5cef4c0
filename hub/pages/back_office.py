"""What the review, dispute and wallet pages ask of the hub and tell it, while somebody looks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
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
        self.token = token
        self._headers = bearer(token)
        self.fault = ""

    async def reviews(self) -> Mapping[str, Any] | None:
        """Visits with unclear lines; None if the hub does not answer."""
        found: Mapping[str, Any] | None = await self._get("/api/v1/staff/reviews")
        return found

    async def disputes(self) -> Mapping[str, Any] | None:
        """Disputes, open ones first; None if the hub does not answer."""
        found: Mapping[str, Any] | None = await self._get("/api/v1/staff/disputes")
        return found

    async def decide_review(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/reviews/decide", body)

    async def decide_dispute(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/disputes/decide", body)

    async def set_aftercare(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/aftercare", body)

    async def gift_cards(self) -> Sequence[Mapping[str, Any]] | None:
        """The latest gift cards, the newest first; None if the hub does not answer."""
        found: Sequence[Mapping[str, Any]] | None = await self._get("/api/v1/staff/gift-cards")
        return found

    async def issue_card(
        self, body: Mapping[str, Any], wish: str
    ) -> tuple[Mapping[str, Any] | None, str]:
        """A new card with its code, or None and the hub's words. The same card under the same
        `wish`, as somebody asks again who had no answer: without its code it is worth nothing."""
        content = hashlib.sha256(json.dumps(dict(body), sort_keys=True).encode()).hexdigest()
        answer = await self._send(
            "POST", "/api/v1/staff/gift-cards", body, key=f"{wish}.{content[:32]}"
        )
        if answer is None:
            return None, "The hub did not answer; try again, it makes one card only."
        if not answer.is_success:
            return None, _why(answer)
        issued: Mapping[str, Any] = answer.json()
        return issued, ""

    async def block_card(self, card_id: str, *, blocked: bool) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        path = f"/api/v1/staff/gift-cards/{card_id}"
        return _told(await self._send("PUT", path, {"blocked": blocked}))

    async def waive(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/debts/waive", body)

    async def page(self, path: str) -> Mapping[str, Any] | None:
        """A page of one of the hub's lists for staff; None if the hub does not answer."""
        found: Mapping[str, Any] | None = await self._get(f"/api/v1/staff{path}")
        return found

    async def decide_chargeback(self, dispute_id: str, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post(f"/api/v1/staff/chargebacks/{dispute_id}/decide", body)

    async def retry_refund(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/refunds/again", body)

    async def settle_refund(self, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post("/api/v1/staff/refunds/settle", body)

    async def pay_at_desk(self, visit_id: str, body: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it was done, and the hub's words if it was not."""
        return await self._post(f"/api/v1/staff/visits/{visit_id}/payments", body)

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

    async def _get(self, path: str) -> Any:
        try:
            answer = await self._client.get(path, headers=self._headers)
            found = answer.raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            self.fault = "The hub does not answer; trying again…"
            return None
        self.fault = ""
        return found

    async def _post(self, path: str, body: Mapping[str, Any]) -> tuple[bool, str]:
        return _told(await self._send("POST", path, body))

    async def _send(
        self, method: str, path: str, body: Mapping[str, Any], *, key: str = ""
    ) -> httpx.Response | None:
        headers = {**self._headers, "Idempotency-Key": key} if key else self._headers
        try:
            return await self._client.request(method, path, json=dict(body), headers=headers)
        except httpx.HTTPError:
            return None


def _told(answer: httpx.Response | None) -> tuple[bool, str]:
    if answer is None:
        return False, NO_ANSWER
    return (True, "") if answer.is_success else (False, _why(answer))


def _why(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail", "")
    except ValueError:
        detail = ""
    return detail if isinstance(detail, str) and detail else str(answer.status_code)
