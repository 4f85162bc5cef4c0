"""The lines of the play page to the running store and to a phone's part of the hub."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx

from sortie.errors import AwayError, RefusalError
from sortie.play.settings import PlaySettings

__all__ = ["HubLine", "StoreLine"]

TIMEOUT_S = 5.0
SILENT_S_MAX = 30.0


class StoreLine:
    """The running store's door; AwayError if nobody answers, RefusalError if it says no."""

    def __init__(self, settings: PlaySettings) -> None:
        token = settings.store_token.get_secret_value()
        self._client = httpx.AsyncClient(
            base_url=settings.store_url,
            headers=_bearing(token),
            timeout=TIMEOUT_S,
            trust_env=False,
        )

    async def get(self, path: str, **asked: str | float) -> dict[str, Any]:
        """What there is to see."""
        try:
            return _document(await self._client.get(path, params=asked))
        except httpx.HTTPError as error:
            raise AwayError("the store does not answer") from error

    async def command(self, body: bytes) -> dict[str, Any]:
        """Hands a command on, as it came."""
        headers = {"content-type": "application/json"}
        try:
            return _document(await self._client.post("/command", content=body, headers=headers))
        except httpx.HTTPError as error:
            raise AwayError("the store does not answer") from error

    async def close(self) -> None:
        """Lets go."""
        await self._client.aclose()


class HubLine:
    """The phone's part of the hub, passed through to the phone that stands in the page."""

    def __init__(self, settings: PlaySettings) -> None:
        self._client = httpx.AsyncClient(
            base_url=settings.hub_url, timeout=TIMEOUT_S, trust_env=False
        )

    async def get(self, path: str, token: str) -> httpx.Response:
        """One answer to the phone with this token; AwayError if the hub does not give one."""
        try:
            return await self._client.get(path, headers=_bearing(token))
        except httpx.HTTPError as error:
            raise AwayError("the hub does not answer") from error

    async def stream(self, path: str, token: str) -> tuple[int, AsyncIterator[bytes]]:
        """Status and body of an answer that goes on; AwayError if the hub does not begin one."""
        timeout = httpx.Timeout(TIMEOUT_S, read=SILENT_S_MAX)
        request = self._client.build_request("GET", path, timeout=timeout, headers=_bearing(token))
        try:
            answer = await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise AwayError("the hub does not answer") from error
        return answer.status_code, _chunks(answer)

    async def close(self) -> None:
        """Lets go."""
        await self._client.aclose()


def _bearing(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def _chunks(answer: httpx.Response) -> AsyncIterator[bytes]:
    """The body until it ends or breaks; either way the phone asks again."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx.HTTPError:
        return
    finally:
        await answer.aclose()


def _document(answer: httpx.Response) -> dict[str, Any]:
    try:
        document = answer.json()
    except ValueError as error:
        raise AwayError("the store answers with something that is not JSON") from error
    if not isinstance(document, dict):
        raise AwayError("the store answers with something that is not an object")
    if answer.is_error:
        raise RefusalError(answer.status_code, str(document.get("detail", "the store says no")))
    return document
