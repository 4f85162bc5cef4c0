"""Errors as RFC 9457 problem details: `application/problem+json` with type, title, status, detail,
instance, and for what a request's fields say wrong a list `errors`. `detail` is always a sentence.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hub.accounts.errors import SignInError, UnknownAccountError
from hub.errors import (
    ConflictError,
    HubError,
    HubHaltedError,
    RejectedError,
    StoreError,
    UnknownParcelError,
    UnknownVisitError,
    UnknownWalletError,
)
from hub.webhooks.errors import UnknownWebhookError

__all__ = ["MEDIA_TYPE", "FieldFault", "Problem", "add_problems", "failure", "problem"]

MEDIA_TYPE = "application/problem+json"
FAULTS_MAX = 20
_STATUS: tuple[tuple[type[HubError], int], ...] = (
    (UnknownVisitError, 404),
    (UnknownWalletError, 404),
    (UnknownParcelError, 404),
    (UnknownAccountError, 404),
    (UnknownWebhookError, 404),
    (ConflictError, 409),
    (RejectedError, 422),
    (HubHaltedError, 503),
    (StoreError, 503),
    (HubError, 422),
)
_SECRETS = re.compile(r"^(/receipt/|/api/v1/(?:phones|wallets)/)[A-Za-z0-9_.:-]{20,}")
"""Where somebody may have put a secret into an address; an answer does not repeat it."""
_SIGN_IN = {"wrong": 403, "code": 401, "expired": 403, "wait": 429}


class FieldFault(BaseModel):
    """What is wrong with one field."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, Field(description="where, with dots: body.lines.0.quantity")]
    message: str


class Problem(BaseModel):
    """RFC 9457."""

    model_config = ConfigDict(extra="forbid")

    type: Annotated[str, Field(examples=["urn:sortie:problem:rejected"])]
    title: Annotated[str, Field(examples=["Unprocessable Content"])]
    status: Annotated[int, Field(ge=400, le=599, examples=[422])]
    detail: Annotated[str, Field(examples=["expected a product of the store, got 96385074"])]
    instance: Annotated[str, Field(description="the path that was asked for, without secrets")]
    errors: list[FieldFault] | None = None


def problem(
    status: int,
    detail: str,
    instance: str,
    *,
    kind: str = "",
    headers: Mapping[str, str] | None = None,
    errors: list[dict[str, str]] | None = None,
) -> JSONResponse:
    """The answer for an error."""
    title = HTTPStatus(status).phrase
    body: dict[str, Any] = {
        "type": f"urn:sortie:problem:{kind or _slug(title)}",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": _SECRETS.sub(r"\1…", instance),
    }
    if errors is not None:
        body["errors"] = errors
    return JSONResponse(body, status_code=status, headers=headers, media_type=MEDIA_TYPE)


def add_problems(app: FastAPI) -> None:
    """Every error of the application becomes a problem."""
    for kind, status in _STATUS:
        app.add_exception_handler(kind, _of_hub(status))
    app.add_exception_handler(SignInError, _of_sign_in)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(RequestValidationError, _of_fields)


def _of_hub(status: int) -> Callable[[Request, Exception], Awaitable[Response]]:
    async def answer(request: Request, error: Exception) -> Response:
        retry = {"Retry-After": "1"} if status in (409, 503) else None
        slug = _slug(re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__.removesuffix("Error")))
        return problem(status, str(error), request.url.path, kind=slug, headers=retry)

    return answer


async def _of_sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInError)
    headers: dict[str, str] = {}
    if error.why == "wait":
        headers["Retry-After"] = str(max(1, round(error.wait_s)))
    if error.why == "code":
        headers["WWW-Authenticate"] = 'Session realm="sortie", error="code_needed"'
    kind = {
        "wrong": "sign-in-refused",
        "code": "code-needed",
        "expired": "first-password-expired",
        "wait": "too-many-tries",
    }[error.why]
    return problem(
        _SIGN_IN[error.why], str(error), request.url.path, kind=kind, headers=headers or None
    )


async def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code)
    detail = error.detail if isinstance(error.detail, str) else str(error.detail)
    if error.status_code == 404 and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "there is nothing at this address"
    if error.status_code == 405:
        detail = f"expected another method than {request.method} for this address"
    kind = (error.headers or {}).get("X-Problem", "")
    headers = {k: v for k, v in (error.headers or {}).items() if k != "X-Problem"}
    return problem(error.status_code, detail, request.url.path, kind=kind, headers=headers or None)


async def _of_fields(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {
            "field": ".".join(str(part) for part in fault["loc"]),
            "message": str(fault["msg"]),
        }
        for fault in error.errors()[:FAULTS_MAX]
    ]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults)
    return problem(422, detail, request.url.path, kind="fields", errors=faults)


def failure(instance: str) -> JSONResponse:
    """The answer where the hub itself failed; see hub.api.hardening.Hardened."""
    return problem(500, "the hub failed at this; its log says why", instance)


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
