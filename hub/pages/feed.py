"""What the pages know of the hub: asked over HTTP, kept as one snapshot, shared by all viewers.

    feed = HubFeed(client, PagesSettings())
    await feed.run()          # until cancelled; feed.shot and feed.version change meanwhile

The state is asked for a few times a second while somebody looks and seldom otherwise; the log
comes as server-sent events. A hub that is away is asked again with growing pauses; the last
snapshot stays, marked as not connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import httpx

from hub.pages.settings import PagesSettings
from hub.pages.shown import Snapshot

__all__ = ["Entered", "HubFeed", "LoginAnswer", "Stands", "bearer", "hub_client"]

LoginAnswer = Literal["in", "wrong", "code", "wait", "away"]
Stands = Literal["open", "own", "ended", "unknown"]
"""What a session opens: everything of its role; "own": nothing but one's own account, until the
password is one's own or a second factor is there; nothing any more."""
HUB_COOKIES = ("sortie_staff", "__Host-sortie_staff")
EVENTS_MAX = 500
EVENT_BYTES_MAX = 1_000_000
TILES_KEPT = 64
PHONES_KEPT = 64
IDLE_S = 2.0
REVIEW_S = 2.0
RETRY_S = (0.3, 1.0, 2.0, 5.0)
REFUSED_RETRY_S = 15.0
"""A wrong password is not tried faster than the hub lets others try."""
TIMEOUT_S = 5.0
REPORT_TIMEOUT_S = 60.0
"""Reports may read a far gateway's lists."""
SILENT_S_MAX = 30.0
"""The hub sends a sign of life every ten seconds."""
WATCH_FOR_S = 15.0
WATCH_EVERY_S = 5.0
PHONE_EVERY_S = 0.2
STOCK_EVERY_S = 0.9


@dataclass(frozen=True, slots=True)
class Entered:
    """What the hub says to a login, and the session it gave."""

    answer: LoginAnswer
    token: str = ""


@dataclass(frozen=True, slots=True)
class _Kept:
    """Something asked for a moment ago."""

    at_s: float
    body: Any


def hub_client(settings: PagesSettings) -> httpx.AsyncClient:
    """A client for the hub with an API key or the staff password as bearer token, if there is one.
    It keeps no cookies: what one person is given must not go with another's request."""
    secret = settings.hub_key or settings.staff_password
    headers = {} if secret is None else {"Authorization": f"Bearer {secret.get_secret_value()}"}
    return httpx.AsyncClient(
        base_url=settings.hub_url, headers=headers, timeout=TIMEOUT_S, follow_redirects=False
    )


class HubFeed:
    """The hub as the pages see it. Pages say when they `arrive` and when they `leave`."""

    def __init__(
        self, client: httpx.AsyncClient, settings: PagesSettings, *, now: Callable[[], float]
    ) -> None:
        self.shot = Snapshot(fault="asking the hub")
        self.version = 0
        self._client = client
        self._settings = settings
        self._now = now
        self._events: deque[Mapping[str, Any]] = deque(maxlen=EVENTS_MAX)
        self._last_number = 0
        self._stream: asyncio.Task[None] | None = None
        self._watched: dict[str, float] = {}
        self._tiles: OrderedDict[str, _Kept] = OrderedDict()
        self._phones: OrderedDict[str, _Kept] = OrderedDict()
        self._stock: _Kept | None = None
        self._review_at_s = float("-inf")
        self._viewers = 0
        self._arrived = asyncio.Event()

    @property
    def client(self) -> httpx.AsyncClient:
        """The line to the hub, for pages that ask for more."""
        return self._client

    def arrive(self) -> None:
        """Somebody looks: from now on the hub is asked often."""
        self._viewers += 1
        self._arrived.set()

    def leave(self) -> None:
        """Somebody looks no more."""
        self._viewers -= 1

    # -- keeping up -----------------------------------------------------------------------

    async def run(self) -> None:
        """Keeps the snapshot up to date until cancelled."""
        fails = 0
        try:
            while True:
                try:
                    await self._look()
                    fails = 0
                    pause_s = 1.0 / self._settings.updates_hz_max if self._viewers else IDLE_S
                except httpx.HTTPStatusError as error:
                    pause_s = self._refused(error)
                except (httpx.HTTPError, ValueError, KeyError) as error:
                    pause_s = RETRY_S[min(fails, len(RETRY_S) - 1)]
                    fails += 1
                    self._away(f"no answer from the hub at {self._settings.hub_url}", error)
                self._arrived.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait(), pause_s)
        finally:
            if self._stream is not None:
                self._stream.cancel()

    async def _look(self) -> None:
        if self.shot.layout is None or not self.shot.connected:
            self._change(layout=await self._json("/api/v1/staff/layout"))
        state = await self._json("/api/v1/staff/state")
        if state["log_number"] < self._last_number:
            # Another database: its events are numbered from the beginning.
            self._events.clear()
            self._last_number = 0
            if self._stream is not None:
                self._stream.cancel()
        if self._stream is None or self._stream.done():
            self._stream = asyncio.create_task(self._follow_log())
        if self._now() - self._review_at_s >= REVIEW_S:
            self._review_at_s = self._now()
            self._change(review=tuple(await self._json("/api/v1/staff/review")))
        self._change(state=state, connected=True, fault="")

    async def _follow_log(self) -> None:
        """Reads the log's stream until it ends; the next look starts it again."""
        timeout = httpx.Timeout(TIMEOUT_S, read=SILENT_S_MAX)
        try:
            async with self._client.stream(
                "GET",
                "/api/v1/staff/events",
                # Without a number it begins with the latest ones, and not years ago.
                params={"after": self._last_number} if self._last_number else {},
                timeout=timeout,
            ) as answer:
                if answer.status_code != 200:
                    return
                async for line in answer.aiter_lines():
                    if line.startswith("data: ") and len(line) <= EVENT_BYTES_MAX:
                        self._happened(json.loads(line[6:]))
        except (httpx.HTTPError, ValueError):
            return

    def _happened(self, event: Mapping[str, Any]) -> None:
        if event["number"] > self._last_number:
            self._last_number = event["number"]
            self._events.append(event)
            self._change(events=tuple(self._events))

    def _refused(self, error: httpx.HTTPStatusError) -> float:
        status = error.response.status_code
        if status in (401, 403, 429):
            self._away(
                "the hub wants its staff password or a key; "
                "set SORTIE_PAGES_STAFF_PASSWORD or SORTIE_PAGES_HUB_KEY",
                error,
            )
            return REFUSED_RETRY_S
        self._away(f"the hub answers with status {status}", error)
        return RETRY_S[-1]

    def _away(self, fault: str, _error: Exception) -> None:
        if self.shot.connected or self.shot.fault != fault:
            self._change(connected=False, fault=fault)

    def _change(self, **values: Any) -> None:
        after = replace(self.shot, **values)
        if after != self.shot:
            self.shot = after
            self.version += 1

    async def _json(self, path: str, *, headers: Mapping[str, str] | None = None) -> Any:
        answer = await self._client.get(path, headers=headers)
        return answer.raise_for_status().json()

    # -- for one page ---------------------------------------------------------------------

    async def phone(self, visit_id: str) -> Mapping[str, Any] | None:
        """What the phone of a visit shows, at most a fifth of a second old; None if unknown."""
        kept = self._phones.get(visit_id)
        if kept is None or self._now() - kept.at_s >= PHONE_EVERY_S:
            try:
                answer = await self._client.get(f"/api/v1/staff/visits/{visit_id}/phone")
            except httpx.HTTPError:
                return None if kept is None else kept.body
            body = None if kept is None else kept.body
            if answer.status_code in (200, 404):
                body = answer.json() if answer.status_code == 200 else None
            kept = _Kept(self._now(), body)
            _keep(self._phones, visit_id, kept, PHONES_KEPT)
        found: Mapping[str, Any] | None = kept.body
        return found

    async def tile(self, camera_id: str) -> bytes | None:
        """The latest picture of a camera, which is asked for as long as somebody looks."""
        kept = self._tiles.get(camera_id)
        if kept is None or self._now() - kept.at_s >= 1.0 / self._settings.tiles_hz_max:
            try:
                await self._watch(camera_id)
                answer = await self._client.get(f"/api/v1/staff/tiles/{camera_id}.jpg")
            except httpx.HTTPError:
                return None
            kept = _Kept(self._now(), answer.content if answer.status_code == 200 else None)
            _keep(self._tiles, camera_id, kept, TILES_KEPT)
        body: bytes | None = kept.body
        return body

    async def _watch(self, camera_id: str) -> None:
        if self._now() - self._watched.get(camera_id, float("-inf")) < WATCH_EVERY_S:
            return
        self._watched[camera_id] = self._now()
        await self._client.post(
            f"/api/v1/staff/tiles/{camera_id}/watch", json={"for_s": WATCH_FOR_S}
        )

    def knows_camera(self, camera_id: str) -> bool:
        """Whether the store has this camera."""
        layout = self.shot.layout
        if layout is None:
            return False
        known = {camera["camera_id"] for camera in layout["cameras"]}
        return camera_id in known.union(*(wall["cameras"] for wall in layout.get("walls", ())))

    async def report(
        self, path: str, *, token: str = "", **params: str
    ) -> tuple[Mapping[str, Any] | None, str]:
        """A report of the hub's for staff; None and the reason if there is none now."""
        try:
            answer = await self._client.get(
                f"/api/v1/staff{path}",
                params=params,
                headers=bearer(token),
                timeout=REPORT_TIMEOUT_S,
            )
        except httpx.HTTPError:
            return None, "The hub did not answer; try again."
        if answer.status_code != 200:
            return None, _reason(answer)
        body: Mapping[str, Any] = answer.json()
        return body, ""

    async def refund(
        self,
        refund_id: str,
        visit_id: str,
        lines: Mapping[int, int],
        reason: str,
        *,
        token: str = "",
    ) -> tuple[bool, str]:
        """Gives receipt lines back; whether it was done, and the hub's words if it was not."""
        body = {
            "refund_id": refund_id,
            "visit_id": visit_id,
            "lines": [{"line": line, "quantity": count} for line, count in lines.items()],
            "reason": reason,
        }
        try:
            answer = await self._client.post(
                "/api/v1/staff/refunds", json=body, headers=bearer(token)
            )
        except httpx.HTTPError:
            return False, "The hub did not answer; trying again changes nothing twice."
        self._phones.pop(visit_id, None)
        return answer.status_code == 200, _reason(answer)

    async def ask(
        self, path: str, body: Mapping[str, Any], *, token: str = ""
    ) -> tuple[Mapping[str, Any] | None, str]:
        """Asks the hub for something that staff may ask; its answer, or None and its words."""
        try:
            answer = await self._client.post(
                f"/api/v1/staff/{path}", json=body, headers=bearer(token)
            )
        except httpx.HTTPError:
            return None, "The hub did not answer; look what it did before you try again."
        if not answer.is_success:
            return None, _reason(answer)
        found: Mapping[str, Any] = answer.json()
        return found, ""

    async def stock(self) -> Mapping[str, Any] | None:
        """Shelves, goods and alerts, as {"stock", "goods", "alerts"}, at most a second old; None
        while the hub does not answer."""
        if self._stock is None or self._now() - self._stock.at_s >= STOCK_EVERY_S:
            try:
                body = {
                    part: await self._json(f"/api/v1/staff/{part}")
                    for part in ("stock", "goods", "alerts")
                }
            except (httpx.HTTPError, ValueError):
                return None
            self._stock = _Kept(self._now(), body)
        found: Mapping[str, Any] = self._stock.body
        return found

    async def buyers(self, recall_id: str, *, token: str = "") -> Mapping[str, Any] | None:
        """Receipts with what was called back; None if the hub does not say."""
        try:
            found: Mapping[str, Any] = await self._json(
                f"/api/v1/staff/recalls/{recall_id}/buyers", headers=bearer(token)
            )
        except (httpx.HTTPError, ValueError):
            return None
        return found

    async def order(
        self, path: str, body: Mapping[str, Any], *, token: str = ""
    ) -> tuple[bool, str]:
        """Asks the hub to do something about goods (`path` below /api/v1/staff); whether it was
        done, and the hub's words if it was not."""
        try:
            answer = await self._client.post(
                f"/api/v1/staff/{path}", json=dict(body), headers=bearer(token)
            )
        except httpx.HTTPError:
            return False, "The hub did not answer; trying again changes nothing twice."
        self._stock = None
        return answer.status_code == 200, _reason(answer)

    async def login(
        self, password: str, *, name: str = "", code: str = "", client: str = ""
    ) -> Entered:
        """Asks the hub who this is; `client` is the browser's address, which the hub counts."""
        body = {"name": name, "password": password, "code": code}
        headers = {"X-Forwarded-For": client} if client else {}
        try:
            answer = await self._client.post("/api/v1/staff/login", json=body, headers=headers)
        except httpx.HTTPError:
            return Entered("away")
        finally:
            self._client.cookies.clear()
        if answer.status_code == 204:
            given = next((answer.cookies[n] for n in HUB_COOKIES if n in answer.cookies), "")
            return Entered("in", given)
        if answer.status_code == 401:
            return Entered("code")
        return Entered("wait" if answer.status_code == 429 else "wrong")

    async def logout(self, token: str) -> None:
        """Ends a session at the hub, if it answers."""
        with contextlib.suppress(httpx.HTTPError):
            await self._client.post("/api/v1/staff/logout", headers=bearer(token))

    async def stands(self, token: str) -> Stands:
        """What a session of the hub opens by now; a hub that is away says nothing of it."""
        try:
            answer = await self._client.get("/api/v1/staff/me", headers=bearer(token))
            if answer.status_code in (401, 403):
                return "ended"
            limited = answer.raise_for_status().json()["limited"]
        except (httpx.HTTPError, ValueError, KeyError, TypeError):
            return "unknown"
        return "own" if limited else "open"


def bearer(token: str) -> dict[str, str]:
    """What makes a request somebody's own; without a session it is this process's."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def _keep(kept: OrderedDict[str, _Kept], key: str, value: _Kept, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _reason(answer: httpx.Response) -> str:
    try:
        detail = answer.json().get("detail", "")
    except ValueError:
        detail = ""
    if isinstance(detail, list):
        detail = "; ".join(str(row.get("msg", "")) for row in detail)
    return detail if isinstance(detail, str) and detail else f"status {answer.status_code}"
