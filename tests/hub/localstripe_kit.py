"""localstripe, a fake of Stripe that others wrote, as a process of its own, and a go-between.

localstripe keeps PaymentIntents, charges and refunds in its own way; the go-between only passes on
what it does not know (`DROPPED`), fills in fields that Stripe has and it has not (`_filled`), and
drops connections where a test wants no answer. What it answers wrongly is left wrong: see
`WRONG_THERE` in test_gateway_contract.py.
"""

from __future__ import annotations

import importlib.util
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from tests.hub.answering import Answer, Server

__all__ = ["GoBetween", "running", "why_not"]

START_S = 20.0
DROPPED = {
    r"/payment_intents$": ("allowed_payment_method_types",),
    r"/confirm$": ("off_session",),
    r"/capture$": ("metadata",),
    r"/cancel$": ("cancellation_reason",),
}
"""Parameters that Stripe takes and localstripe refuses, by the path of the request."""
UNKNOWN = {"customer": "payment_intents"}
"""Filters of lists that it refuses: the go-between filters instead."""


def why_not() -> str:
    """Why localstripe cannot run here; empty if it can."""
    if importlib.util.find_spec("localstripe") is None:
        return "localstripe is not installed; install the extra `dev`"
    if not socket.has_ipv6:
        return "localstripe listens on IPv6, which this machine has not"
    with suppress(OSError), socket.socket(socket.AF_INET6) as tried:
        tried.bind(("::1", 0))
        return ""
    return "localstripe listens on IPv6, which this machine has not"


@contextmanager
def running() -> Iterator[str]:
    """Starts localstripe on a free port; its address."""
    with socket.socket(socket.AF_INET6) as free:
        free.bind(("::1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "localstripe", "--port", str(port), "--from-scratch"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://[::1]:{port}"
    try:
        deadline = time.monotonic() + START_S
        while True:
            with suppress(httpx.HTTPError):
                httpx.delete(f"{url}/_config/data")
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"expected localstripe to start, it ended: {process.poll()}")
            # Its own start is what is waited for, as for any process.
            threading.Event().wait(0.05)
        yield url
    finally:
        process.terminate()
        process.wait()


@dataclass
class GoBetween(Server):
    """Between Stripe's client library and localstripe. `url` is what the client is given."""

    far: str
    key: str
    _faults: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def start(self) -> None:
        """Begins to listen; localstripe forgets what it knew."""
        self._client = httpx.Client(base_url=self.far, auth=(self.key, ""))
        self._client.delete("/_config/data").raise_for_status()
        super().start()

    def stop(self) -> None:
        """Ends; localstripe goes on."""
        super().stop()
        self._client.close()

    def card(self, number: str) -> tuple[str, str]:
        """A customer with a saved card of this number: both ids."""
        customer = self._made("/v1/customers", {})
        card = {"number": number, "exp_month": "12", "exp_year": "2030", "cvc": "123"}
        fields = {f"card[{name}]": value for name, value in card.items()}
        return customer, self._made("/v1/payment_methods", {"type": "card", **fields})

    def fault(self, where: str, kind: str) -> None:
        """The next request whose `METHOD path` matches gets no answer: "drop_before" it is passed
        on, or "drop_after"."""
        self._faults.append((where, kind))

    def reply(
        self, method: str, target: str, body: str, headers: Mapping[str, str]
    ) -> Answer | None:
        """What localstripe says; None drops the connection."""
        with self._lock:
            path, query = urlsplit(target).path, parse_qsl(urlsplit(target).query)
            fault = self._next_fault(f"{method} {path}")
            if fault == "drop_before":
                return None
            if path == "/v1/disputes":
                # It knows no disputes at banks.
                none = {"object": "list", "data": [], "has_more": False, "url": path}
                return Answer(200, none)
            status, found = self._passed_on(method, path, query, parse_qsl(body))
            return None if fault == "drop_after" else Answer(status, found)

    def _passed_on(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]],
        fields: list[tuple[str, str]],
    ) -> tuple[int, dict[str, Any]]:
        unknown = {
            name for part, names in DROPPED.items() if re.search(part, path) for name in names
        }
        kept = [(name, value) for name, value in fields if name.split("[")[0] not in unknown]
        wanted = dict(query)
        filters = {name: wanted.pop(name) for name in UNKNOWN if name in wanted}
        answer = self._client.request(
            method,
            path,
            params=wanted,
            content=urlencode(kept) if method == "POST" else None,
            headers={"content-type": "application/x-www-form-urlencoded"},
        )
        found: dict[str, Any] = answer.json()
        if found.get("object") == "list":
            rows = [
                row
                for row in found["data"]
                if all(row.get(name) == value for name, value in filters.items())
            ]
            found["data"] = [self._filled(row) for row in rows]
        return answer.status_code, self._filled(found)

    def _filled(self, item: dict[str, Any]) -> dict[str, Any]:
        """What Stripe says of a PaymentIntent or a refund and localstripe leaves out, from what it
        says elsewhere."""
        if item.get("object") == "refund":
            return {"reason": None, "failure_reason": None, **item}
        if item.get("object") != "payment_intent":
            return item
        charge = item.get("latest_charge") or {}
        received = 0
        if item["status"] == "succeeded":
            # What was never captured it books as a refund of the charge.
            released = sum(
                refund["amount"]
                for refund in charge["refunds"]["data"]
                if refund["payment_intent"] is None
            )
            received = charge["amount"] - released
        failure = item["last_payment_error"]
        if failure is not None:
            failure = {"decline_code": None, **failure}
        return {
            "amount_received": received,
            "cancellation_reason": None,
            **item,
            "last_payment_error": failure,
        }

    def _made(self, path: str, fields: dict[str, str]) -> str:
        answer = self._client.post(path, data=fields).raise_for_status()
        return str(answer.json()["id"])

    def _next_fault(self, where: str) -> str | None:
        for item in self._faults:
            if re.search(item[0], where):
                self._faults.remove(item)
                return item[1]
        return None
