"""Who may open the pages, and how the process refuses to start."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.types import Message
from starlette.websockets import WebSocket

from hub.errors import SettingsError
from hub.pages.door import COOKIE, Guard, Sessions, add_login
from hub.pages.feed import HubFeed
from hub.pages.settings import PagesSettings, load_pages_settings

PASSWORD = "correct horse battery"


class Door:
    """A guarded application with one page and one websocket, and a hub that knows a password."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.sessions = Sessions(60.0, lambda: self.now_s)
        hub = httpx.AsyncClient(
            transport=httpx.MockTransport(self._hub), base_url="http://hub.test"
        )
        app = Starlette()
        app.router.add_route("/staff", lambda _request: PlainTextResponse("the staff page"))
        app.router.add_websocket_route("/ws", _echo)
        add_login(app, HubFeed(hub, PagesSettings(), now=lambda: 0.0), self.sessions)
        self.app = Guard(app, self.sessions)

    @staticmethod
    def _hub(request: httpx.Request) -> httpx.Response:
        return httpx.Response(204 if PASSWORD.encode() in request.content else 403)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://door") as client:
                return await client.request(method, path, **more)

        return asyncio.run(run())

    def dial(self, cookies: str) -> list[Message]:
        """What a websocket hears."""
        heard: list[Message] = []

        async def receive() -> Message:
            return {"type": "websocket.connect"}

        async def send(message: Message) -> None:
            heard.append(message)

        scope = {
            "type": "websocket",
            "path": "/ws",
            "headers": [(b"cookie", cookies.encode())],
            "query_string": b"",
            "subprotocols": [],
        }
        asyncio.run(self.app(scope, receive, send))
        return heard

    def login(self, password: str, **headers: str) -> httpx.Response:
        return self.ask("POST", "/login", data={"password": password}, headers=headers)


async def _echo(socket_: WebSocket) -> None:
    await socket_.accept()
    await socket_.send_text("in")
    await socket_.close()


@pytest.fixture
def door() -> Door:
    return Door()


def cookie(answer: httpx.Response) -> dict[str, str]:
    return {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


def test_browsers_are_led_to_the_form_and_programs_get_401(door: Door) -> None:
    led = door.ask("GET", "/staff", headers={"Accept": "text/html,*/*"})
    assert (led.status_code, led.headers["location"]) == (303, "/login")
    assert door.ask("GET", "/staff").status_code == 401
    assert door.ask("POST", "/staff", headers={"Accept": "text/html"}).status_code == 401
    assert "password" in door.ask("GET", "/login").text


def test_the_right_password_opens_until_the_session_ends(door: Door) -> None:
    answer = door.login(PASSWORD)
    assert (answer.status_code, answer.headers["location"]) == (303, "/staff")
    assert "httponly" in answer.headers["set-cookie"].lower()
    assert "samesite=strict" in answer.headers["set-cookie"].lower()
    session = cookie(answer)
    assert door.ask("GET", "/staff", headers=session).text == "the staff page"
    door.now_s = 61.0
    assert door.ask("GET", "/staff", headers=session).status_code == 401


def test_wrong_passwords_and_other_sites_stay_outside(door: Door) -> None:
    wrong = door.login("guess")
    assert wrong.status_code == 403
    assert "not the staff password" in wrong.text
    assert "set-cookie" not in wrong.headers
    assert door.login(PASSWORD, Origin="http://evil.example").status_code == 403
    assert door.login(PASSWORD, Origin="http://[no-site").status_code == 403
    assert door.login("x" * 5_000).status_code == 413
    forged = {"Cookie": f"{COOKIE}=guessed; other=1"}
    assert door.ask("GET", "/staff", headers=forged).status_code == 401


def test_logging_out_ends_the_session(door: Door) -> None:
    session = cookie(door.login(PASSWORD))
    assert door.ask("POST", "/logout", headers=session).status_code == 303
    assert door.ask("GET", "/staff", headers=session).status_code == 401


def test_websockets_are_guarded_too(door: Door) -> None:
    session = cookie(door.login(PASSWORD))["Cookie"]
    assert door.dial("")[0]["type"] == "websocket.close"
    assert door.dial(f"{COOKIE}=guessed")[0]["type"] == "websocket.close"
    assert [said["type"] for said in door.dial(session)][:2] == [
        "websocket.accept",
        "websocket.send",
    ]


# ---------------------------------------------------------------------------- the process


def test_beyond_this_machine_a_password_is_needed(monkeypatch: Any) -> None:
    monkeypatch.setenv("SORTIE_PAGES_HOST", "0.0.0.0")
    with pytest.raises(SettingsError, match="SORTIE_PAGES_STAFF_PASSWORD"):
        load_pages_settings()
    monkeypatch.setenv("SORTIE_PAGES_STAFF_PASSWORD", PASSWORD)
    settings = load_pages_settings()
    assert settings.host == "0.0.0.0"
    assert PASSWORD not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HUB_URL", "ftp://x"),
        ("PORT", "99999"),
        ("STAFF_PASSWORD", "short"),
        ("UPDATES_HZ_MAX", "50"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not(
    monkeypatch: Any, name: str, value: str
) -> None:
    monkeypatch.setenv(f"SORTIE_PAGES_{name}", value)
    with pytest.raises(SettingsError, match=f"SORTIE_PAGES_{name}") as caught:
        load_pages_settings()
    assert value not in str(caught.value)


@pytest.fixture
def start(monkeypatch: Any) -> Callable[[], subprocess.CompletedProcess[str]]:
    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "hub.pages.main"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def test_a_taken_port_ends_the_process_with_its_setting(start: Any, monkeypatch: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        monkeypatch.setenv("SORTIE_PAGES_PORT", str(other.getsockname()[1]))
        ended = start()
    assert ended.returncode == 1
    assert "SORTIE_PAGES_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_a_password_the_process_refuses_to_be_seen(start: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("SORTIE_PAGES_HOST", "0.0.0.0")
    ended = start()
    assert ended.returncode == 1
    assert "staff password" in ended.stderr


def test_nicegui_is_imported_by_the_pages_process_alone() -> None:
    script = (
        "import sys, hub.pages, hub.pages.main, hub.pages.shown, hub.pages.feed, hub.pages.door;"
        "import hub.main; print([m for m in sys.modules if m.startswith('nicegui')])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert ended.stdout.strip() == "[]"
