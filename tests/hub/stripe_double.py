"""Stripe in the house: the parts of its HTTP interface that the hub uses, as Stripe behaves.

Idempotency keys are honoured for every POST (the stored answer again, an error on other
parameters or another path, 409 while the first is under way), PaymentIntents go through the states
of manual capture, more than was held cannot be captured and more than was captured cannot be paid
back, test payment methods are declined, unknown parameters are refused, lists have pages. Faults
are armed one by one: `double.fault("POST /capture", "drop_after")`.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from tests.hub.answering import Answer, Server

__all__ = ["KEY", "StripeDouble"]

KEY = "sk_test_double"
Kind = Literal[
    "drop_before", "drop_after", "stall", "500_before", "500_after", "429", "in_use", "garbage",
]  # fmt: skip
DECLINES = {
    "pm_declined": ("card_declined", "generic_decline"),
    "pm_poor": ("card_declined", "insufficient_funds"),
    "pm_asks": ("authentication_required", "authentication_required"),
}
URLS = {
    "create": "/v1/payment_intents",
    "refund": "/v1/refunds",
    "dispute": "/v1/disputes",
}
PARAMS = {
    "create": {
        "amount", "currency", "customer", "payment_method", "capture_method", "metadata",
        "allowed_payment_method_types",
    },
    "confirm": {"off_session"},
    "capture": {"amount_to_capture", "metadata"},
    "cancel": {"cancellation_reason"},
    "refund": {"payment_intent", "amount", "metadata", "reason"},
    "list": {"limit", "starting_after", "customer", "payment_intent"},
    "customer": {"metadata"},
    "session": {
        "mode", "customer", "currency", "success_url", "cancel_url", "metadata",
        "setup_intent_data",
    },
}  # fmt: skip


class RefusalError(Exception):
    """An error as Stripe words it. Stored under the key unless the parameters were wrong."""

    def __init__(
        self, status: int, code: str, kind: str = "invalid_request_error", **more: Any
    ) -> None:
        super().__init__(code)
        self.status = status
        self.body = {"error": {"type": kind, "code": code, "message": code, **more}}

    @property
    def stored(self) -> bool:
        return self.status == 402 or "payment_intent" in self.body["error"]


@dataclass
class _Stored:
    path: str
    params: dict[str, Any]
    status: int
    body: dict[str, Any]


@dataclass
class StripeDouble(Server):
    """The server and its books. `url` is its API base."""

    intents: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    disputes: dict[str, dict[str, Any]] = field(default_factory=dict)
    sessions: dict[str, dict[str, Any]] = field(default_factory=dict)
    setups: dict[str, dict[str, Any]] = field(default_factory=dict)
    customers: set[str] = field(default_factory=lambda: {"cus_p", "cus_declined", "cus_poor"})
    seen: list[tuple[str, str, dict[str, Any], str]] = field(default_factory=list)
    releases_as_refunds: bool = True
    _faults: list[tuple[str, Kind]] = field(default_factory=list)
    _keys: dict[str, _Stored] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _count: int = 0
    _stopped: threading.Event = field(default_factory=threading.Event)
    _stalled: set[int] = field(default_factory=set)

    # -- the server -----------------------------------------------------------------------

    def stop(self) -> None:
        self._stopped.set()
        super().stop()

    def reply(
        self, method: str, target: str, body: str, headers: Mapping[str, str]
    ) -> Answer | None:
        """What Stripe answers; None drops the connection."""
        url = urlsplit(target)
        answered = self.answer(
            method,
            url.path,
            _nested(parse_qsl(body if method == "POST" else url.query, keep_blank_values=True)),
            headers.get("idempotency-key", ""),
            headers.get("authorization", ""),
        )
        if answered is None:
            return None
        self.wait_if_stalled()
        status, found, replayed = answered
        return Answer(status, found, {"idempotent-replayed": "true"} if replayed else {})

    # -- what a test arms -----------------------------------------------------------------

    def fault(self, where: str, kind: Kind) -> None:
        """The next request whose `METHOD path` matches goes wrong in this way."""
        self._faults.append((where, kind))

    def forget_keys(self) -> None:
        """A day passes."""
        self._keys.clear()

    def expire(self, hold_key: str) -> str:
        """The card's bank lets go of a hold, and Stripe cancels it; returns its id."""
        intent = next(i for i in self.intents.values() if i["metadata"]["sortie_key"] == hold_key)
        self._cancel(intent, "automatic")
        return str(intent["id"])

    def dispute(self, hold_key: str, amount: int, fee: int = 0) -> dict[str, Any]:
        """The payer disputes a captured hold; Stripe takes the money and its fee at once."""
        intent = next(i for i in self.intents.values() if i["metadata"]["sortie_key"] == hold_key)
        dispute = {
            "id": self._name("dp"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [_moved(-amount, fee, intent["currency"])],
            "currency": intent["currency"],
            "livemode": False,
            "payment_intent": intent["id"],
            "reason": "fraudulent",
            "status": "needs_response",
        }
        self.disputes[dispute["id"]] = dispute
        return dispute

    def decide(self, dispute_id: str, status: str) -> dict[str, Any]:
        """The bank decides; what it took comes back if the store has won."""
        dispute = self.disputes[dispute_id]
        dispute["status"] = status
        if status == "won":
            back = _moved(dispute["amount"], 0, dispute["currency"])
            dispute["balance_transactions"].append(back)
        return dispute

    def posts(self, ending: str) -> list[tuple[str, str, dict[str, Any], str]]:
        """POST requests that came to a path: (method, path, parameters, idempotency key)."""
        return [row for row in self.seen if row[0] == "POST" and row[1].endswith(ending)]

    # -- requests -------------------------------------------------------------------------

    def answer(
        self, method: str, path: str, params: dict[str, Any], key: str, authorization: str
    ) -> tuple[int, dict[str, Any], bool] | None:
        """Status, body and whether it is a replay; None drops the connection."""
        with self._lock:
            self.seen.append((method, path, params, key))
            fault = self._next_fault(f"{method} {path}")
            if fault == "drop_before":
                return None
            if authorization != f"Bearer {KEY}":
                return 401, RefusalError(401, "").body, False
            if fault == "429":
                return 429, RefusalError(429, "rate_limit").body, False
            if fault == "in_use":
                return (
                    409,
                    RefusalError(409, "idempotency_key_in_use", "idempotency_error").body,
                    False,
                )
            if fault == "garbage":
                return 502, {"gateway": "bad"}, False
            stored = self._keys.get(key) if method == "POST" else None
            if stored is not None:
                if (stored.path, stored.params) != (path, params):
                    return 400, RefusalError(400, "", "idempotency_error").body, False
                return stored.status, stored.body, True
            status, body = 500, RefusalError(500, "", "api_error").body
            keep = True
            if fault != "500_before":
                status, body, keep = self._done(method, path, params)
            if fault == "500_after":
                status, body = 500, RefusalError(500, "", "api_error").body
            if method == "POST" and key and keep:
                self._keys[key] = _Stored(path, params, status, body)
            if fault == "stall":
                self._stalled.add(threading.get_ident())
            return None if fault == "drop_after" else (status, body, False)

    def wait_if_stalled(self) -> None:
        """An answer that comes long after the client has stopped waiting."""
        if threading.get_ident() in self._stalled:
            self._stalled.discard(threading.get_ident())
            self._stopped.wait(30.0)

    def _next_fault(self, where: str) -> Kind | None:
        for item in self._faults:
            if re.search(item[0], where):
                self._faults.remove(item)
                return item[1]
        return None

    def _done(
        self, method: str, path: str, params: dict[str, Any]
    ) -> tuple[int, dict[str, Any], bool]:
        try:
            return 200, json.loads(json.dumps(self._do(method, path, params))), True
        except RefusalError as refusal:
            return refusal.status, refusal.body, refusal.stored

    def _do(self, method: str, path: str, params: dict[str, Any]) -> dict[str, Any]:
        parts = path.removeprefix("/v1/").split("/")
        match (method, *parts):
            case ("POST", "payment_intents"):
                return self._create(params)
            case ("GET", "payment_intents"):
                return self._list("create", self.intents, params)
            case ("GET", "payment_intents", name):
                return self._intent(name)
            case ("POST", "payment_intents", name, action):
                _known(params, action)
                intent = self._intent(name)
                doing = {"confirm": self._confirm, "capture": self._capture}.get(action)
                if doing is not None:
                    return doing(intent, params)
                if intent["status"] in ("canceled", "succeeded"):
                    raise _unexpected(intent)
                return self._cancel(intent, params.get("cancellation_reason"))
            case ("POST", "refunds"):
                return self._refund(params)
            case ("GET", "refunds"):
                return self._list("refund", self.refunds, params)
            case ("GET", "disputes"):
                return self._list("dispute", self.disputes, params)
            case ("POST", "customers"):
                _known(params, "customer")
                name = self._name("cus")
                self.customers.add(name)
                return {"id": name, "object": "customer", "metadata": params.get("metadata", {})}
            case ("POST", "checkout", "sessions"):
                return self._session(params)
            case ("GET", "setup_intents", name):
                return self.setups[name]
        raise RefusalError(404, "url_invalid")

    # -- PaymentIntents -------------------------------------------------------------------

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        if "payment_method_types" in params:
            raise RefusalError(400, "payment_method_types_no_longer_supported")
        _known(params, "create")
        amount = _whole(params, "amount")
        if params["customer"] not in self.customers:
            raise RefusalError(400, "resource_missing", param="customer")
        intent = {
            "id": self._name("pi"),
            "object": "payment_intent",
            "amount": amount,
            "amount_capturable": 0,
            "amount_received": 0,
            "cancellation_reason": None,
            "capture_method": params["capture_method"],
            "currency": params["currency"],
            "customer": params["customer"],
            "last_payment_error": None,
            "latest_charge": None,
            "livemode": False,
            "metadata": dict(params.get("metadata", {})),
            "payment_method": params["payment_method"],
            "status": "requires_confirmation",
        }
        self.intents[intent["id"]] = intent
        return intent

    def _confirm(self, intent: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] != "requires_confirmation":
            raise _unexpected(intent)
        decline = DECLINES.get(intent["payment_method"])
        if decline is not None:
            intent["status"] = "requires_payment_method"
            code, reason = decline
            failure = {"type": "card_error", "code": code, "decline_code": reason, "message": "no"}
            intent["last_payment_error"] = failure
            intent["payment_method"] = None
            raise RefusalError(402, code, "card_error", decline_code=reason, payment_intent=intent)
        intent["status"] = "requires_capture"
        intent["amount_capturable"] = intent["amount"]
        return intent

    def _capture(self, intent: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        if intent["status"] != "requires_capture":
            raise _unexpected(intent)
        amount = _whole(params, "amount_to_capture")
        if amount > intent["amount_capturable"]:
            raise RefusalError(400, "amount_too_large", param="amount_to_capture")
        intent.update(status="succeeded", amount_capturable=0, amount_received=amount)
        intent["metadata"].update(params.get("metadata", {}))
        self._released(intent, intent["amount"] - amount)
        return intent

    def _cancel(self, intent: dict[str, Any], reason: str | None) -> dict[str, Any]:
        held = intent["amount_capturable"]
        intent.update(status="canceled", amount_capturable=0, cancellation_reason=reason)
        self._released(intent, held)
        return intent

    def _released(self, intent: dict[str, Any], amount: int) -> None:
        """Stripe books what it lets go of as a refund too."""
        if amount and self.releases_as_refunds:
            self._book_refund(intent, amount, {}, None)

    def _refund(self, params: dict[str, Any]) -> dict[str, Any]:
        _known(params, "refund")
        intent = self._intent(params["payment_intent"])
        amount = _whole(params, "amount")
        back = sum(
            refund["amount"]
            for refund in self.refunds.values()
            if refund["payment_intent"] == intent["id"] and refund["metadata"]
        )
        if intent["status"] != "succeeded":
            raise _unexpected(intent)
        disputes = [d for d in self.disputes.values() if d["payment_intent"] == intent["id"]]
        if any(dispute["status"] != "won" for dispute in disputes):
            raise RefusalError(400, "charge_disputed")
        if back == intent["amount_received"]:
            raise RefusalError(400, "charge_already_refunded")
        if amount > intent["amount_received"] - back:
            raise RefusalError(400, "", param="amount")
        return self._book_refund(intent, amount, dict(params.get("metadata", {})), "succeeded")

    def _book_refund(
        self, intent: dict[str, Any], amount: int, metadata: dict[str, str], _status: str | None
    ) -> dict[str, Any]:
        refund = {
            "id": self._name("re"),
            "object": "refund",
            "amount": amount,
            "currency": intent["currency"],
            "failure_reason": None,
            "metadata": metadata,
            "payment_intent": intent["id"],
            "reason": None,
            "status": "succeeded",
        }
        self.refunds[refund["id"]] = refund
        return refund

    def _session(self, params: dict[str, Any]) -> dict[str, Any]:
        _known(params, "session")
        name = self._name("cs")
        setup = self._name("seti")
        self.setups[setup] = {
            "id": setup,
            "object": "setup_intent",
            "status": "requires_payment_method",
            "customer": params["customer"],
            "payment_method": None,
            "metadata": params["setup_intent_data"]["metadata"],
        }
        self.sessions[name] = {
            "id": name,
            "object": "checkout.session",
            "mode": params["mode"],
            "customer": params["customer"],
            "setup_intent": setup,
            "metadata": params["metadata"],
            "url": f"https://checkout.stripe.test/c/{name}",
        }
        return self.sessions[name]

    # -- small things ---------------------------------------------------------------------

    def _intent(self, name: str) -> dict[str, Any]:
        if name not in self.intents:
            raise RefusalError(404, "resource_missing", param="intent")
        return self.intents[name]

    def _list(
        self, _what: str, rows: dict[str, dict[str, Any]], params: dict[str, Any]
    ) -> dict[str, Any]:
        _known(params, "list")
        wanted = [
            row
            for row in reversed(rows.values())
            if all(row[name] == params[name] for name in ("customer", "payment_intent")
                   if name in params)
        ]  # fmt: skip
        names = [row["id"] for row in wanted]
        begin = names.index(params["starting_after"]) + 1 if "starting_after" in params else 0
        end = begin + int(params.get("limit", 10))
        return {
            "object": "list",
            "data": wanted[begin:end],
            "has_more": end < len(wanted),
            "url": URLS[_what],
        }

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{kind}_{self._count:06d}"


def _moved(amount: int, fee: int, currency: str) -> dict[str, Any]:
    """What a dispute did to the account's balance."""
    return {
        "object": "balance_transaction",
        "amount": amount,
        "currency": currency,
        "fee": fee,
        "net": amount - fee,
        "type": "adjustment",
    }


def _known(params: dict[str, Any], what: str) -> None:
    for name in params:
        if name not in PARAMS[what]:
            raise RefusalError(400, "parameter_unknown", param=name)


def _whole(params: dict[str, Any], name: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]*", params.get(name, "")):
        raise RefusalError(400, "parameter_invalid_integer", param=name)
    return int(params[name])


def _unexpected(intent: dict[str, Any]) -> RefusalError:
    return RefusalError(400, "payment_intent_unexpected_state", payment_intent=intent)


def _nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b][c]=1` as nested dictionaries."""
    made: dict[str, Any] = {}
    for name, value in pairs:
        parts = re.findall(r"[^\[\]]+", name)
        place = made
        for part in parts[:-1]:
            place = place.setdefault(part, {})
        place[parts[-1]] = value
    return made
