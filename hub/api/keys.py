"""API keys over HTTP, for admins. A key's text is in the answer that makes it, and nowhere else."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from hub.accounts.model import ApiKey, Principal, Scope
from hub.api.auth import StaffAuth, note
from hub.driver import Driver

__all__ = ["key_routes"]

KeyId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]
YEAR_S = 366 * 86_400.0


class NewKey(BaseModel):
    """What a key is for and what it may do."""

    model_config = ConfigDict(extra="forbid")

    label: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f\x7f]*$")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=20)]
    lasts_s: Annotated[
        float | None, Field(gt=0, le=10 * YEAR_S, description="null: until it is revoked")
    ] = YEAR_S


class KeyRow(BaseModel):
    """A key without its secret. Times are microseconds since 1970."""

    model_config = ConfigDict(extra="forbid")

    key_id: str
    label: str
    scopes: list[str]
    created_by: str
    created_us: int
    expires_us: int | None
    used_us: int | None
    revoked_us: int | None


class KeyMade(KeyRow):
    """With its text, told once: send it as a bearer token."""

    key: str


def key_routes(driver: Driver, auth: StaffAuth) -> APIRouter:
    """Routes under /api/v1/staff/keys."""
    admin = Depends(auth.needs("admin"))
    router = APIRouter(prefix="/api/v1/staff/keys", tags=["keys"])
    accounts = auth.accounts

    @router.get("", dependencies=[admin])
    def keys() -> list[KeyRow]:
        """All keys, the newest first."""
        return [_row(key) for key in accounts.store.all_keys()]

    @router.post("", status_code=201)
    def add(request: Request, body: NewKey, who: Principal = admin) -> KeyMade:
        """A new key."""
        now_s = driver.now()
        ends_s = None if body.lasts_s is None else now_s + body.lasts_s
        key, text = accounts.new_key(body.label, tuple(body.scopes), who.name, ends_s, now_s)
        note(request, target=f"{key.key_id} {' '.join(key.scopes)}")
        return KeyMade(**_row(key).model_dump(), key=text)

    @router.delete("/{key_id}", dependencies=[admin])
    def revoke(key_id: KeyId) -> KeyRow:
        """The key is good no more, from now on."""
        return _row(accounts.revoke_key(key_id, driver.now()))

    return router


def _row(key: ApiKey) -> KeyRow:
    return KeyRow(
        key_id=key.key_id,
        label=key.label,
        scopes=list(key.scopes),
        created_by=key.created_by,
        created_us=key.created_us,
        expires_us=key.expires_us,
        used_us=key.used_us,
        revoked_us=key.revoked_us,
    )
