"""Settings of the play page's process, from the environment (SORTIE_PLAY_*)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from sortie.errors import UsageError

__all__ = ["PREFIX", "PlaySettings", "load_play_settings"]

PREFIX = "SORTIE_PLAY_"
Url = Annotated[str, Field(pattern=r"^http://127\.0\.0\.1:\d+$", description="on this machine")]
Port = Annotated[int, Field(ge=1, le=65535)]


class PlaySettings(BaseSettings):
    """Frozen; unknown keys are refused. All of it is on this machine."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    port: Annotated[Port, Field(description="TCP port on 127.0.0.1")]
    hub_url: Annotated[Url, Field(description="the hub's HTTP interface")]
    pages_url: Annotated[Url, Field(description="start page and staff page")]
    store_url: Annotated[Url, Field(description="the running store's door, store_sim.control")]
    store_token: Annotated[SecretStr, Field(min_length=16, description="what opens that door")]
    kill_file: Annotated[Path, Field(description="made here: the demo kills the broker")]


def load_play_settings() -> PlaySettings:
    """From the environment; UsageError names what is wrong."""
    try:
        return PlaySettings()
    except ValidationError as error:
        fault = error.errors(include_input=False)[0]
        name = "_".join(str(part) for part in fault["loc"]).upper()
        raise UsageError(f"{PREFIX}{name}: {fault['msg']}") from error
