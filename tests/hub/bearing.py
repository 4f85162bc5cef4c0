"""How a phone shows the token of its visit or wallet: in a header of each request."""

from __future__ import annotations

from typing import Any

__all__ = ["Mine", "bearing"]


def bearing(token: str) -> dict[str, str]:
    """The header of a request with this token."""
    return {"Authorization": f"Bearer {token}"}


class Mine:
    """What the holder of one token may ask: `room` is "phones" or "wallets"; `client` has
    request(method, url, **more)."""

    def __init__(self, client: Any, room: str, token: str) -> None:
        self._client = client
        self._url = f"/api/v1/{room}/me"
        self.token = token

    def ask(self, method: str, path: str = "", **more: Any) -> Any:
        """One request; the path begins where the token's own address ends."""
        headers = {**bearing(self.token), **more.pop("headers", {})}
        return self._client.request(method, self._url + path, headers=headers, **more)

    def get(self, path: str = "", **more: Any) -> Any:
        """GET."""
        return self.ask("GET", path, **more)

    def post(self, path: str = "", **more: Any) -> Any:
        """POST."""
        return self.ask("POST", path, **more)
