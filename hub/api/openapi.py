"""The OpenAPI document: what each route takes and gives, and who may call it.

`x-sortie-role` is the least role of a route, `x-sortie-scope` the scope that lets a key in. Every
error is a problem (RFC 9457) and described once. Served at /api/v1/openapi.json; the same document
is docs/openapi.json, written by `sortie hub openapi`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, RouteContext, iter_route_contexts

from hub.accounts.model import ROLES
from hub.api.auth import COOKIE, Needs, StaffAuth
from hub.api.problems import MEDIA_TYPE, FieldFault, Problem
from hub.api.reading import token_of

__all__ = ["add_document", "needs_of", "operation_id", "routes_of"]

PATH = "/api/v1/openapi.json"
ABOUT = """The hub of a walk-out store.

People sign in (`session`), systems send an API key (`key`) whose scopes say what it may do. Lists
are paged: send `next` of a page as `cursor`. What moves money or stock takes an `Idempotency-Key`,
and needs one with an API key. Errors are problem details (RFC 9457); `detail` is a sentence.
Amounts are integer minor units, times integer microseconds of the hub's clock (UTC)."""
TAGS = {
    "phones": "The shopper's phone: a visit, its code, its live cart and receipt.",
    "staff": "The store live, and what staff do to it.",
    "account": "One's own account: password, second factor, sessions.",
    "people": "Accounts of staff, their sessions, the audit log.",
    "keys": "API keys of other systems.",
    "resources": "Visits, receipts, products, stock, events and devices, paged.",
    "webhooks": "The event log, sent to other systems, signed.",
    "goods": "Offers, age limits, recalls, shelves, restocking, and EPCIS of what left.",
    "wallets": "A shopper's wallet: balance, gift cards, order, top-ups, debts.",
    "receipts": "Receipts as pages and PDF, and by e-mail.",
    "disputes": "What shoppers say is wrong, and what staff decide.",
    "review": "What vision was not sure of, for staff to look at.",
    "evidence": "Blurred pictures of a reach, asked of its node.",
    "exits": "The displays at the exits.",
    "reports": "VAT of a day, reconciliation with the gateway, the fiscal journal.",
    "gateway": "What the payment gateway tells, and saved cards.",
    "orders": "Orders to be fetched: placed, released, off, brought back; routes of vans.",
    "parcels": "Parcels: expected, stowed, missing.",
    "walls": "Pick-up walls live, their kiosks and alarms.",
    "entries": "Cards at terminals, people let in by staff, badges, the desk.",
    "tiles": "Camera pictures: asked for, blurred, shown for seconds.",
    "health": "Liveness and metrics.",
}
EXAMPLES: dict[str, Any] = {
    "staff_login": {"name": "anna", "password": "lantern gravel fourteen otters", "code": "123456"},
    "staff_refund": {
        "refund_id": "desk-2026-11-26-7",
        "visit_id": "v-000042",
        "lines": [{"line": 1, "quantity": 1}],
        "reason": "the jar was cracked",
    },
    "staff_price": {"gtin": "4006381333931", "price_minor": 129},
    "staff_stock": {"slot_id": "s1", "gtin": "4006381333931", "quantity": 12},
    "people_add": {"name": "bert", "role": "clerk"},
    "people_change": {"role": "manager"},
    "account_password": {"old": "first-password", "new": "lantern gravel fourteen otters"},
    "account_confirm": {"code": "123456"},
    "account_enrol": {"password": "lantern gravel fourteen otters"},
    "account_remove": {"password": "lantern gravel fourteen otters", "code": "123456"},
    "keys_add": {"label": "till", "scopes": ["read:visits", "refund"], "lasts_s": 31_536_000.0},
    "webhooks_add": {"url": "https://example.org/hook", "kinds": ["visit.settled", "refund.*"]},
    "webhooks_change": {"state": "paused"},
    "webhooks_replay": {"after": 1200},
    "phones_open_visit": {"payer": "w-7f3a"},
    "tiles_watch": {"for_s": 15.0},
}
"""What a request may look like, by operation."""
_ERRORS = {
    "400": "the request cannot be read",
    "401": "nobody is signed in",
    "403": "signed in, but not enough; or another site's page",
    "404": "no such thing",
    "409": "it is under way, or was done otherwise",
    "413": "too large",
    "422": "a field, or what is asked for, is refused",
    "429": "too many tries; Retry-After says how long to wait",
    "503": "the hub cannot write at the moment",
}
_SECURITY = {
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": COOKIE,
        "description": f"From POST /api/v1/staff/login; over https it is named __Host-{COOKIE}. "
        "Changes by cookie need an Origin of this site or X-CSRF-Token.",
    },
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key (sk_…) or a session's token.",
    },
    "node": {"type": "http", "scheme": "bearer", "description": "The token of an edge node."},
    "phone": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of a visit or of a wallet, told when it was opened.",
    },
}


def operation_id(route: APIRoute) -> str:
    """Its room and its name: `staff_refund`."""
    room = str(route.tags[0]) if route.tags else "hub"
    return f"{room}_{route.name}"


def routes_of(app: FastAPI) -> Iterator[RouteContext]:
    """All routes with a place in the document, in the order they were added."""
    for route in iter_route_contexts(app.routes):
        if isinstance(route.original_route, APIRoute) and route.include_in_schema:
            yield route


def needs_of(route: RouteContext) -> Needs | StaffAuth | None:
    """What a route asks of its caller, of several the highest role; None if it declares nothing."""
    found = [call for call in _calls(route.dependant) if isinstance(call, Needs | StaffAuth)]
    return max(found, key=_rank, default=None)


def _rank(needs: Needs | StaffAuth) -> int:
    return ROLES.index(needs.role) if isinstance(needs, Needs) else -1


def _calls(dependant: Dependant) -> Iterator[Any]:
    for inner in dependant.dependencies:
        yield inner.call
        yield from _calls(inner)


def add_document(app: FastAPI) -> None:
    """Makes the document at the first request for it, and serves it."""

    def made() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = made  # type: ignore[method-assign]

    @app.get(PATH, include_in_schema=False)
    def document() -> dict[str, Any]:
        """This document."""
        return app.openapi()


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title="Sortie hub",
        version="1",
        description=ABOUT,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        license_info={"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
    )
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["FieldFault"] = FieldFault.model_json_schema()
    shape = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    shape.pop("$defs", None)
    schemas["Problem"] = shape
    parts["securitySchemes"] = _SECURITY
    parts["responses"] = {
        f"Problem{status}": {"description": text, "content": _problem()}
        for status, text in _ERRORS.items()
    }
    for route in routes_of(app):
        for method in sorted(route.methods or ()):
            _describe(document["paths"][_path(route)][method.lower()], route)
    return document


def _describe(operation: dict[str, Any], route: RouteContext) -> None:
    """Adds who may call it, what a request looks like, and how it fails."""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None and operation["operationId"] in EXAMPLES:
        body["example"] = EXAMPLES[operation["operationId"]]
    needs = needs_of(route)
    if needs is not None:
        role = needs.role if isinstance(needs, Needs) else "viewer"
        scope = needs.scope if isinstance(needs, Needs) else None
        operation["x-sortie-role"] = role
        if scope is not None:
            operation["x-sortie-scope"] = scope
        operation["security"] = [{"session": []}, {"key": []}]
    elif _path(route).startswith(("/api/v1/nodes/", "/api/v1/terminals/")):
        operation["security"] = [{"node": []}]
    elif token_of in _calls(route.dependant):
        operation["security"] = [{"phone": []}]
    else:
        operation["security"] = []
    responses = operation["responses"]
    for status in _ERRORS:
        if status not in responses or MEDIA_TYPE not in responses[status].get("content", {}):
            if route.path == "/healthz" and status == "503":
                responses[status] = dict(responses["200"], description="it cannot write")
                continue
            responses[status] = {"$ref": f"#/components/responses/Problem{status}"}
    responses["default"] = {"description": "any other error", "content": _problem()}
    for status in ("200", "201"):
        if "text/event-stream" in responses.get(status, {}).get("content", {}):
            responses[status]["description"] = "Server-sent events, until either side ends them"


def _problem() -> dict[str, Any]:
    return {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}


def _path(route: RouteContext) -> str:
    return re.sub(r":\w+}", "}", str(route.path))
