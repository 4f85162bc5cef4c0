"""Accounts in Chromium: a person signs in with a second factor, and an admin ends the session."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import httpx
import pyotp
import pytest

WORDS = "lantern gravel fourteen otters"


def command(store: Any, *words: str, said: str = "") -> str:
    """`sortie hub …` on the store's database."""
    url = f"sqlite:///{store.folder / 'hub.sqlite'}"
    script = "from sortie.cli import main; main()"
    line = [sys.executable, "-c", script, "hub", *words, "--database", url]
    ended = subprocess.run(
        line, input=said, capture_output=True, text=True, timeout=120, check=True
    )
    return ended.stdout


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub(STAFF_ACCOUNTS="true", TOTP_REQUIRED="false", TOTP_GRACE_STEPS="1")
    for name, role in (("anna", "admin"), ("mona", "manager")):
        command(store, "staff", "add", name, "--role", role, "--ask", said=f"{WORDS}\n")
    with httpx.Client(base_url=store.hub_url) as hub:
        login = {"name": "anna", "password": WORDS}
        hub.post("/api/v1/staff/login", json=login).raise_for_status()
        scopes = ["read:visits", "read:events", "read:review", "read:devices"]
        made = hub.post(
            "/api/v1/staff/keys",
            json={"label": "pages", "scopes": scopes},
            headers={"Origin": store.hub_url},
        )
    store.start_pages(HUB_KEY=made.json()["key"])


def fill(tab: Any, **fields: str) -> None:
    """Types into the fields of a form and sends it."""
    for name, text in fields.items():
        tab.until(f"document.querySelector('#{name}')")
        tab.eval(f"document.querySelector('#{name}').focus()")
        tab.send("Input.insertText", text=text)
    tab.eval(f"document.querySelector('#{name}').form.requestSubmit()")


def test_a_manager_enrols_signs_in_and_is_signed_out(chromium: Any, store: Any) -> None:
    tab = chromium.tab()
    tab.size(390, 844)
    tab.goto(f"{store.pages_url}/account")
    tab.until("location.pathname === '/login' && document.querySelector('#name')")
    fill(tab, name="mona", password=WORDS)
    tab.until("location.pathname === '/staff'")
    tab.goto(f"{store.pages_url}/account")
    fill(tab, factor=WORDS)
    tab.until("document.querySelector('.qr')?.naturalWidth > 0")
    totp = pyotp.TOTP(tab.eval("document.querySelector('.told code').textContent"))
    fill(tab, code=totp.at(time.time()))
    tab.until("document.querySelectorAll('.told li').length === 10")
    assert tab.eval("document.documentElement.scrollWidth <= window.innerWidth")
    codes = tab.eval("[...document.querySelectorAll('.told li code')].map(c => c.textContent)")
    tab.goto(f"{store.pages_url}/people")
    tab.until_text("expected the role admin")
    tab.goto(f"{store.pages_url}/staff")
    tab.until_text("connected", '[data-pane="health"]')
    tab.eval("document.querySelector('form[action=\"/logout\"]').requestSubmit()")
    tab.until("location.pathname === '/login'")
    fill(tab, name="mona", password=WORDS)
    tab.until("document.querySelector('#code')")
    fill(tab, code=codes[0])
    tab.until("location.pathname === '/staff'")
    tab.until_text("connected", '[data-pane="health"]')
    command(store, "staff", "end", "mona")
    tab.until("location.pathname === '/login'")
    tab.close()


def test_a_session_that_is_ended_leaves_every_page_though_its_line_broke(
    chromium: Any, store: Any
) -> None:
    tab, silent = chromium.tab(), chromium.tab()
    tab.goto(f"{store.pages_url}/login")
    fill(tab, name="anna", password=WORDS)
    tab.until("location.pathname === '/staff'")
    tab.goto(f"{store.pages_url}/stock")
    tab.until_text("Shelves")
    silent.goto(f"{store.pages_url}/staff/review")
    silent.until("window.socket?.connected")
    silent.eval("!window.socket.disconnect()")
    command(store, "staff", "end", "anna")
    for one in (tab, silent):
        one.until("location.pathname === '/login'")
        one.close()
