"""The application of the play page: its files, what it shows, and what a person may do.

Everything under /play belongs to the page. The phone in it is the hub's own: its files are served
at /phone and its questions are passed through at /api/v1/phones, so that it stands on this origin.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from hub.pages import PHONE_FILES, PlainFiles
from hub.pages.feed import HubFeed, hub_client
from hub.pages.life import alongside
from hub.pages.routes import EMPTY_TILE
from hub.pages.settings import PagesSettings
from hub.pages.words import Palette
from hub.settings import LOOPBACK_NAMES
from sortie.errors import AwayError, RefusalError
from sortie.play.line import HubLine, StoreLine
from sortie.play.settings import PlaySettings
from sortie.play.story import BrokerWatch, HubClock, belief_json, moments

__all__ = ["create_app"]

PAGE_FILES = Path(__file__).parent / "page"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
COMMAND_BYTES_MAX = 10_000
KILL_PAUSE_S = 20.0
"""The supervisor takes a broker that falls oftener than five times a minute for broken."""
WATCH_S = 0.2
VIEWED_S = 5.0
CLIP_S = (0.9, 0.7)
"""How long before and after its moment a line of the receipt is replayed."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")

Handler = Callable[[Request], Awaitable[Response]]


class Stage:
    """All that the page's process knows; one a process."""

    def __init__(self, settings: PlaySettings, stopping: Callable[[], bool]) -> None:
        self.settings = settings
        self.stopping = stopping
        self.store = StoreLine(settings)
        self.hub = HubLine(settings)
        pages = PagesSettings(hub_url=settings.hub_url)
        self._client = hub_client(pages)
        self.feed = HubFeed(self._client, pages, now=time.monotonic)
        self.clock = HubClock()
        self.broker = BrokerWatch(KILL_PAUSE_S)
        self.palette = Palette()
        self._viewed_s = float("-inf")
        self._counted = False

    def viewed(self) -> None:
        """Somebody looks: the hub is asked often for a while."""
        self._viewed_s = time.monotonic()
        if not self._counted:
            self._counted = True
            self.feed.arrive()

    async def run(self) -> None:
        """Keeps the hub's snapshot, its clock and the broker's state, until cancelled."""
        feed = asyncio.create_task(self.feed.run())
        seen: Any = None
        try:
            while True:
                await asyncio.sleep(WATCH_S)
                now_s = time.monotonic()
                state = self.feed.shot.state
                if state is not None and state is not seen and self.feed.shot.connected:
                    seen = state
                    self.clock.heard(state["now_s"], now_s)
                self.broker.see(now_s, state if self.feed.shot.connected else None)
                if self._counted and now_s - self._viewed_s > VIEWED_S:
                    self._counted = False
                    self.feed.leave()
        finally:
            feed.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await feed

    async def close(self) -> None:
        """Lets all lines go."""
        for client in (self.store, self.hub):
            await client.close()
        await self._client.aclose()

    async def state(self, seat: str) -> dict[str, Any]:
        """Everything that changes, for one page."""
        self.viewed()
        shot = self.feed.shot
        seen: dict[str, Any] | None = None
        fault = ""
        try:
            seen = await self.store.get("/state", seat=seat)
        except AwayError as error:
            fault = str(error)
        except RefusalError as error:
            fault = error.detail
        phone = None if seen is None else seen["you"]["phone"]
        visit_id = None if phone is None else str(phone["visit_id"])
        visit = shot.visit(visit_id)
        return {
            "world": seen,
            "fault": fault,
            "hub": {
                "connected": shot.connected,
                "fault": shot.fault,
                "blind": [] if shot.state is None else shot.state["blind"],
                "stage": None if visit is None else visit["stage"],
                "unclear": 0 if visit is None else visit["unclear"],
                "lines": [] if visit is None else visit["lines"],
                "total_minor": 0 if visit is None else visit["total_minor"],
            },
            "belief": belief_json(shot, visit_id, self.palette),
            "moments": moments(shot, visit_id),
            "broker": self.broker.said(time.monotonic()),
        }


class _PageFiles(StaticFiles):
    """The page's own files under its content security policy."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """One file; browsers ask whether it changed."""
        answer = await super().get_response(path, scope)
        answer.headers["Content-Security-Policy"] = POLICY
        answer.headers["Cache-Control"] = "no-cache"
        answer.headers["X-Content-Type-Options"] = "nosniff"
        answer.headers["Referrer-Policy"] = "no-referrer"
        return answer


def create_app(settings: PlaySettings, stopping: Callable[[], bool]) -> Starlette:
    """The application; `stopping` ends its streams, so that the process can end."""
    stage = Stage(settings, stopping)

    @asynccontextmanager
    async def life(_app: Starlette) -> AsyncIterator[None]:
        async with alongside(stage.run(), stage.close):
            yield

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def to_page(_request: Request) -> Response:
        return RedirectResponse("/play/")

    return Starlette(
        lifespan=life,
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=LOOPBACK_NAMES)],
        routes=[
            Route("/healthz", healthz),
            Route("/", to_page),
            Route("/play", to_page),
            *_api(stage),
            *_phone(stage),
            Mount("/phone", PlainFiles(directory=PHONE_FILES, html=True)),
            Mount("/play", _PageFiles(directory=PAGE_FILES, html=True)),
        ],
    )


def _api(stage: Stage) -> list[Route]:
    async def state(request: Request) -> Response:
        return _json(await stage.state(request.query_params.get("seat", "")))

    async def layout(_request: Request) -> Response:
        return _json({**await stage.store.get("/layout"), "pages_url": stage.settings.pages_url})

    async def command(request: Request) -> Response:
        _same_site(request)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > COMMAND_BYTES_MAX:
                raise RefusalError(413, f"expected at most {COMMAND_BYTES_MAX} bytes")
        return _json(await stage.store.command(bytes(body)))

    async def clip(request: Request) -> Response:
        text = request.query_params.get("t_s", "")
        try:
            middle_s = stage.clock.monotonic_s(float(text))
        except ValueError as error:
            raise RefusalError(422, f"t_s: expected hub seconds, got {text!r}") from error
        if middle_s is None:
            raise AwayError("the hub has not told its time yet")
        before_s, after_s = CLIP_S
        asked = {"from": middle_s - before_s, "to": middle_s + after_s}
        return _json(await stage.store.get("/clip", **asked))

    async def kill(request: Request) -> Response:
        _same_site(request)
        now_s = time.monotonic()
        if not stage.broker.may_kill(now_s):
            raise RefusalError(
                409, f"The broker was killed a moment ago. Once in {KILL_PAUSE_S:.0f} s is enough."
            )
        stage.broker.asked(now_s)
        await asyncio.to_thread(stage.settings.kill_file.touch)
        return _json(stage.broker.said(now_s))

    async def tile(request: Request) -> Response:
        stage.viewed()
        camera_id = request.path_params["camera"]
        if not stage.feed.knows_camera(camera_id):
            raise RefusalError(404, "expected a camera of the store")
        jpeg = await stage.feed.tile(camera_id)
        headers = {"Cache-Control": "no-store"}
        if jpeg is None:
            empty = EMPTY_TILE.replace("{camera}", camera_id)
            return Response(empty, media_type="image/svg+xml", headers=headers)
        return Response(jpeg, media_type="image/jpeg", headers=headers)

    return [
        Route("/play/api/state", _safe(state)),
        Route("/play/api/layout", _safe(layout)),
        Route("/play/api/command", _safe(command), methods=["POST"]),
        Route("/play/api/clip", _safe(clip)),
        Route("/play/api/broker/kill", _safe(kill), methods=["POST"]),
        Route("/play/tiles/{camera}.jpg", _safe(tile)),
    ]


def _phone(stage: Stage) -> list[Route]:
    """The hub's phone, read only: the avatar's visit is opened by the simulator."""

    async def visit(request: Request) -> Response:
        return await passed(request, "")

    async def mails(request: Request) -> Response:
        return await passed(request, "/receipt/mails")

    async def disputes(request: Request) -> Response:
        return await passed(request, "/disputes")

    async def passed(request: Request, path: str) -> Response:
        answer = await stage.hub.get(f"/api/v1/phones/me{path}", _token(request))
        headers = {
            name: answer.headers[name]
            for name in ("content-type", "date")
            if name in answer.headers
        }
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    async def qr(request: Request) -> Response:
        answer = await stage.hub.get("/api/v1/phones/me/qr.svg", _token(request))
        kind = answer.headers.get("content-type", "text/plain")
        headers = {"content-type": kind, "cache-control": "no-store"}
        return Response(answer.content, status_code=answer.status_code, headers=headers)

    async def events(request: Request) -> Response:
        status, chunks = await stage.hub.stream("/api/v1/phones/me/events", _token(request))

        async def until_stop() -> AsyncIterator[bytes]:
            async with contextlib.aclosing(chunks):  # type: ignore[type-var]
                async for chunk in chunks:
                    if stage.stopping():
                        return
                    yield chunk

        headers = {"Cache-Control": "no-store"}
        return StreamingResponse(
            until_stop(), status_code=status, media_type="text/event-stream", headers=headers
        )

    return [
        Route("/api/v1/phones/me", _safe(visit)),
        Route("/api/v1/phones/me/receipt/mails", _safe(mails)),
        Route("/api/v1/phones/me/disputes", _safe(disputes)),
        Route("/api/v1/phones/me/qr.svg", _safe(qr)),
        Route("/api/v1/phones/me/events", _safe(events)),
    ]


def _safe(handler: Handler) -> Handler:
    """An answer with words where something is away or says no."""

    async def answered(request: Request) -> Response:
        try:
            return await handler(request)
        except AwayError as error:
            return JSONResponse({"detail": str(error)}, status_code=503)
        except RefusalError as error:
            return JSONResponse({"detail": error.detail}, status_code=error.status)

    return answered


def _json(document: dict[str, Any]) -> Response:
    return JSONResponse(document, headers={"Cache-Control": "no-store"})


def _token(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not _TOKEN.fullmatch(token):
        raise RefusalError(401, "expected a phone's token as `Authorization: Bearer TOKEN`")
    return token


def _same_site(request: Request) -> None:
    origin = request.headers.get("origin")
    if origin is not None and origin.split("//", 1)[-1] != request.headers.get("host", ""):
        raise RefusalError(403, f"expected a request from this page, got one from {origin}")
