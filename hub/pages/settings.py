"""Settings of the pages' process, from the environment (SORTIE_PAGES_*)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.errors import SettingsError
from hub.settings import is_loopback

__all__ = ["PagesSettings", "load_pages_settings"]

Url = Annotated[str, Field(pattern=r"^https?://[^\s/?#]+$", description="without a path")]


class PagesSettings(BaseSettings):
    """Frozen; unknown keys are refused."""

    model_config = SettingsConfigDict(
        env_prefix="SORTIE_PAGES_", frozen=True, extra="forbid", allow_inf_nan=False
    )

    hub_url: Annotated[Url, Field(description="where the hub's HTTP interface is")] = (
        "http://127.0.0.1:8080"
    )
    phone_url: Annotated[
        Url | None, Field(description="the hub as phones reach it; None: the hub's address")
    ] = None
    play_url: Annotated[
        Url | None, Field(description="the demo's page for playing the shopper; None: no demo")
    ] = None
    host: Annotated[str, Field(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port; 0 takes a free one")] = 8090
    staff_password: Annotated[
        SecretStr | None,
        Field(min_length=12, description="the hub's staff password, needed if it has one"),
    ] = None
    hub_key: Annotated[
        SecretStr | None,
        Field(
            min_length=20,
            description="an API key of the hub for what the pages show (scopes read:visits, "
            "read:events, read:review, read:devices); people sign in with their accounts",
        ),
    ] = None
    session_s: Annotated[float, Field(gt=0, le=7 * 86_400, description="a login lasts so long")] = (
        12 * 3600.0
    )
    updates_hz_max: Annotated[
        float, Field(ge=0.5, le=10, description="how often a page may change")
    ] = 5.0
    tiles_hz_max: Annotated[
        float, Field(ge=0.2, le=10, description="how often a camera's picture may change")
    ] = 4.0

    @property
    def phones(self) -> str:
        """The hub as phones and displays reach it."""
        return self.phone_url or self.hub_url

    @property
    def door(self) -> bool:
        """Whether people must log in."""
        return self.staff_password is not None or self.hub_key is not None


def load_pages_settings() -> PagesSettings:
    """From the environment; SettingsError names what is wrong.

    Beyond this machine the pages are only served with a staff password.
    """
    try:
        settings = PagesSettings()
    except ValidationError as error:
        faults = "; ".join(
            f"SORTIE_PAGES_{'_'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False)[:10]
        )
        raise SettingsError(f"expected settings of the pages: {faults}") from error
    if not settings.door and not is_loopback(settings.host):
        raise SettingsError(
            f"expected a staff password to listen on {settings.host}, which others can reach; "
            "set SORTIE_PAGES_STAFF_PASSWORD or SORTIE_PAGES_HUB_KEY, or listen on 127.0.0.1"
        )
    return settings
