"""A small client of Chromium's DevTools protocol, and the store's processes behind the pages."""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.sync.connection import Connection

DEADLINE_S = 120.0
CONTRAST = """(() => {
  const style = getComputedStyle(document.documentElement);
  const light = (name) => {
    const hex = style.getPropertyValue('--' + name).trim().slice(1);
    const part = (at) => {
      const c = parseInt(hex.slice(at, at + 2), 16) / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4);
  };
  return PAIRS.split(' ').map((pair) => {
    const [a, b] = pair.split('/').map(light);
    return [pair, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)];
  });
})()"""
READY = """document.readyState === 'complete' && location.href !== 'about:blank'
  && (!document.querySelector('script[src*="_nicegui"]') || window.did_handshake)"""
"""The document has been read, and a page of NiceGUI's has its line: without it a page loads itself
once more, and what was clicked meanwhile is lost."""
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-port=0",
)
UNTIL = """new Promise((resolve, reject) => {
  const end = performance.now() + %d;
  const look = () => {
    let value = null;
    try { value = %s; } catch (error) { value = null; }
    if (value) resolve(true);
    else if (performance.now() > end) reject(new Error('deadline'));
    else setTimeout(look, 40);
  };
  look();
})"""
"""Asks a condition again and again inside the page, so that no test sleeps."""


class Tab:
    """One page of the browser. `faults` holds what its scripts threw or logged as errors."""

    def __init__(self, browser: Chromium, session_id: str) -> None:
        self.faults: list[str] = []
        self._browser = browser
        self._session_id = session_id
        for domain in ("Page", "Runtime", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """One command of the protocol; AssertionError with its own words if it fails."""
        return self._browser.send(method, session_id=self._session_id, **params)

    def goto(self, url: str) -> None:
        """Opens an address and waits until the page can be used."""
        answer = self.send("Page.navigate", url=url)
        assert not answer.get("errorText"), f"{url}: {answer['errorText']}"
        self.until(READY)

    def eval(self, script: str) -> Any:
        """The JSON value of an expression; promises are awaited."""
        answer = self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def until(self, condition: str, *, deadline_s: float = DEADLINE_S) -> None:
        """Waits until an expression is true; fails with the page's text if it never is."""
        end = time.monotonic() + deadline_s
        while True:
            left_ms = max(1, round(1000 * (end - time.monotonic())))
            answer = self.send(
                "Runtime.evaluate",
                expression=UNTIL % (left_ms, condition),
                awaitPromise=True,
                returnByValue=True,
            )
            if "exceptionDetails" not in answer and answer["result"].get("value") is True:
                return
            # A navigation takes the page's promises with it: the condition is asked again.
            if time.monotonic() >= end:
                text = self.eval("document.body ? document.body.innerText : ''")
                raise AssertionError(
                    f"expected {condition} within {deadline_s} s; the page reads:\n{text}\n"
                    f"faults: {self.faults}"
                )

    def contrasts(self, pairs: str) -> list[tuple[str, float]]:
        """Each "ink/ground" pair of the page's colours with its ratio (WCAG 2.2, 1.4.3)."""
        found = self.eval(CONTRAST.replace("PAIRS", repr(pairs)))
        return [(pair, ratio) for pair, ratio in found]

    def until_text(self, text: str, selector: str = "body", **more: Any) -> None:
        """Waits until an element's visible text holds this."""
        self.until(
            f"document.querySelector({json.dumps(selector)})?.innerText.includes("
            f"{json.dumps(text)})",
            **more,
        )

    def text(self, selector: str = "body") -> str:
        """The visible text of the first such element."""
        found: str = self.eval(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return found

    def click(self, selector: str) -> None:
        """Clicks the first such element, once it is there."""
        self.until(f"document.querySelector({json.dumps(selector)})")
        self.eval(f"document.querySelector({json.dumps(selector)}).click()")

    def press(self, where: str, text: str) -> None:
        """Presses the button of that text inside such an element, once it is there."""
        found = (
            f"[...document.querySelectorAll({json.dumps(where + ' button')})]"
            f".find((one) => one.innerText.trim() === {json.dumps(text)})"
        )
        self.until(found)
        self.eval(f"{found}.click()")

    def size(self, width: int, height: int, *, dark: bool = False, phone: bool = False) -> None:
        """The size of the window in CSS pixels, and whether it is dark."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if phone else 1,
            mobile=phone,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def close(self) -> None:
        """Closes the page."""
        self._browser.forget(self._session_id)

    def picture(self, path: Path) -> None:
        """A picture of the window as PNG."""
        data = self.send("Page.captureScreenshot", format="png")["data"]
        path.write_bytes(base64.b64decode(data))


class Chromium:
    """A headless browser with a profile of its own."""

    def __init__(self, program: str, profile: Path) -> None:
        self._tabs: dict[str, Tab] = {}
        self._targets: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._log = (profile / "chromium.log").open("wb")
        self._process = subprocess.Popen(
            [program, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "HOME": str(profile)},
        )
        self._open = contextlib.ExitStack()
        self._socket = self._connected(profile / "DevToolsActivePort")

    def _connected(self, port_file: Path) -> Connection:
        end = time.monotonic() + DEADLINE_S
        while True:
            lines = port_file.read_text().split() if port_file.exists() else []
            if len(lines) == 2:
                url = f"ws://127.0.0.1:{lines[0]}{lines[1]}"
                # A thread that pings draws from `random`, which generated tests must have alone.
                opened = connect(url, max_size=64 * 2**20, ping_interval=None)
                return self._open.enter_context(opened)
            assert time.monotonic() < end, "Chromium did not open its DevTools port"
            with contextlib.suppress(subprocess.TimeoutExpired):
                raise AssertionError(f"Chromium ended with status {self._process.wait(0.05)}")

    def tab(self) -> Tab:
        """A new page."""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._targets[session] = target
        self._tabs[session] = Tab(self, session)
        return self._tabs[session]

    def forget(self, session_id: str) -> None:
        """Closes a page."""
        del self._tabs[session_id]
        self.send("Target.closeTarget", targetId=self._targets.pop(session_id))

    def send(self, method: str, *, session_id: str = "", **params: Any) -> dict[str, Any]:
        """One command and its answer; events that come meanwhile are looked through."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": params}
        self._socket.send(
            json.dumps({**message, "sessionId": session_id} if session_id else message)
        )
        while True:
            heard = json.loads(self._socket.recv(timeout=2 * DEADLINE_S))
            if heard.get("id") == number:
                if heard.get("error", {}).get("code") == -32000 and method == "Runtime.evaluate":
                    return {"exceptionDetails": heard["error"]["message"]}
                assert "error" not in heard, f"{method}: {heard['error']}"
                result: dict[str, Any] = heard["result"]
                return result
            self._heard(heard)

    def _heard(self, event: dict[str, Any]) -> None:
        tab = self._tabs.get(event.get("sessionId", ""))
        if tab is None:
            return
        if event["method"] == "Runtime.exceptionThrown":
            tab.faults.append(json.dumps(event["params"]["exceptionDetails"])[:800])
        elif event["method"] == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            entry = event["params"]["entry"]
            tab.faults.append(f"{entry['text']} {entry.get('url', '')}")

    def close(self) -> None:
        """Ends the browser."""
        with contextlib.suppress(Exception):
            self.send("Browser.close")
        self._open.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(10)
        self._log.close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One browser for all tests; where none is installed, only CI insists on it."""
    program = next((path for name in NAMES if (path := shutil.which(name))), None)
    if program is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"expected one of {', '.join(NAMES)}; mend with: apt-get install chromium")
        pytest.skip("no Chromium on this machine; mend with: apt-get install chromium")
    browser = Chromium(program, tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
def phone(chromium: Any) -> Iterator[Any]:
    """A shopper's phone; what its browser keeps is gone afterwards."""
    tab = chromium.tab()
    tab.size(360, 740, phone=True)
    yield tab
    tab.send("Storage.clearDataForOrigin", origin="*", storageTypes="all")
    tab.close()


@pytest.fixture
def desk(chromium: Any) -> Iterator[Any]:
    """The window of one of the staff."""
    tab = chromium.tab()
    tab.size(1280, 800)
    yield tab
    tab.close()
