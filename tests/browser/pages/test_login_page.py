"""The staff password in Chromium: checked by the hub, kept by a session."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module", autouse=True)
def processes(store: Any) -> None:
    store.start_hub(STAFF_PASSWORD=PASSWORD)
    store.start_pages(STAFF_PASSWORD=PASSWORD)


def test_the_password_opens_the_staff_page(chromium: Any, store: Any) -> None:
    tab = chromium.tab()
    tab.size(1280, 800)
    tab.goto(f"{store.pages_url}/staff")
    tab.until("location.pathname === '/login' && document.querySelector('#password')")

    def attempt(password: str) -> None:
        tab.eval("document.querySelector('#password').focus()")
        tab.send("Input.insertText", text=password)
        tab.eval("document.querySelector('form').requestSubmit()")

    attempt("not the password")
    tab.until_text("That is not the staff password.")
    attempt(PASSWORD)
    tab.until("location.pathname === '/staff'")
    tab.until_text("connected", '[data-pane="health"]')
    tab.eval("document.querySelector('form[action=\"/logout\"]').requestSubmit()")
    tab.until("location.pathname === '/login'")
    tab.goto(f"{store.pages_url}/")
    tab.until("location.pathname === '/login'")
    tab.close()


def test_without_a_session_nothing_is_served(store: Any) -> None:
    for path in ("/", "/staff", "/tiles/cam-a.jpg", "/mirrored/v-1", "/mirror/index.html"):
        assert httpx.get(f"{store.pages_url}{path}").status_code == 401
    assert httpx.get(f"{store.pages_url}/healthz").status_code == 200
