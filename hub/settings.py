"""Settings of the hub's process: from the environment (SORTIE_HUB_*), over a YAML file."""

from __future__ import annotations

import ipaddress
import os
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import parse_qs, urlsplit

import yaml
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from contracts.ids import DeviceId, GateId
from hub.errors import SettingsError
from hub.logs import LogFormat
from hub.retention.settings import Retention
from hub.rules import Rules

__all__ = [
    "LOOPBACK_NAMES",
    "HubSettings",
    "account_keys_path",
    "is_loopback",
    "is_test_key",
    "keys_path",
    "load_settings",
]

LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]", "testserver")
"""What the hub answers to while everyone on this machine is admin."""


class HubSettings(BaseSettings):
    """Frozen; unknown keys are refused."""

    model_config = SettingsConfigDict(
        env_prefix="SORTIE_HUB_",
        env_nested_delimiter="__",
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
    )

    store_file: Annotated[Path, Field(description="the YAML file that seeds the store")]
    database_url: Annotated[
        str, Field(min_length=1, description="sqlite:///FILE, or postgresql+DRIVER://…")
    ] = "sqlite:///hub.sqlite"
    database_plain: Annotated[
        bool, Field(description="PostgreSQL on another machine may be spoken to without TLS")
    ] = False
    entry_keys_file: Annotated[
        Path | None,
        Field(
            description="keys that sign entry codes, made if missing; hubs of one store share it; "
            "none: beside the SQLite database, else entry-keys.json"
        ),
    ] = None
    account_keys_file: Annotated[
        Path | None,
        Field(
            description="keys that encrypt the secrets of second factors and webhooks, made if "
            "missing; hubs of one store share it; none: beside the entry keys, as account-keys.json"
        ),
    ] = None
    gateway_file: Annotated[
        str, Field(description="books of the in-house payment gateway; :memory: forgets them")
    ] = "gateway.sqlite"
    gateway: Annotated[
        Literal["fake", "stripe"], Field(description="which payment gateway; fake moves no money")
    ] = "fake"
    stripe_secret_key: Annotated[
        SecretStr | None, Field(min_length=12, description="sk_test_…, sk_live_…, rk_…")
    ] = None
    stripe_webhook_secret: Annotated[
        SecretStr | None, Field(min_length=12, description="whsec_… of the webhook endpoint")
    ] = None
    stripe_api_base: Annotated[
        str | None, Field(description="another address of Stripe's interface, for tests")
    ] = None
    stripe_timeout_s: Annotated[
        float, Field(ge=1, le=120, description="wait so long for one answer of Stripe's")
    ] = 20.0
    fiscal_key_file: Annotated[
        Path | None,
        Field(description="key of `sortie hub fiscal init`; None: no fiscal journal is kept"),
    ] = None
    fiscal_every_s: Annotated[
        float, Field(ge=0.1, le=3600, description="between two entries of the fiscal journal")
    ] = 5.0
    host: Annotated[str, Field(min_length=1, description="address to listen on")] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535, description="TCP port; 0 takes a free one")] = 8080
    staff_password: Annotated[
        SecretStr | None,
        Field(
            min_length=12,
            max_length=200,
            description="opens the staff pages as `staff`, an admin; for the first day, and for "
            "the pages' process",
        ),
    ] = None
    staff_accounts: Annotated[
        bool,
        Field(
            description="staff sign in with accounts only; `sortie hub staff add` makes the first"
        ),
    ] = False
    totp_required: Annotated[
        bool | None,
        Field(
            description="managers and admins need a second factor (one-time codes); none: where "
            "staff sign in with accounts only"
        ),
    ] = None
    totp_grace_steps: Annotated[
        int,
        Field(
            ge=0,
            le=1,
            description="1: a code of the 30 s before or after is taken too, for clocks that go "
            "wrong",
        ),
    ] = 0
    session_s: Annotated[
        float, Field(gt=0, le=7 * 86_400, description="a staff session lasts so long")
    ] = 12 * 3600.0
    session_idle_s: Annotated[
        float, Field(gt=0, le=7 * 86_400, description="a session nobody uses ends after so long")
    ] = 2 * 3600.0
    clerk_refund_minor_max: Annotated[
        int, Field(ge=0, description="a clerk gives back so much of a visit; managers any amount")
    ] = 2_000
    hosts: Annotated[
        tuple[str, ...],
        Field(
            description="names the hub answers to, as JSON; empty: any, or loopback names only "
            "while everyone on this machine is admin"
        ),
    ] = ()
    body_bytes_max: Annotated[
        int, Field(ge=65_536, le=64 * 1024 * 1024, description="a request's body may be so large")
    ] = 1_048_576
    metrics_open: Annotated[
        bool, Field(description="/metrics needs no key; for a network that only Prometheus is in")
    ] = False
    webhooks_private: Annotated[
        bool, Field(description="webhooks may go to private addresses and over http")
    ] = False
    webhooks_give_up_days: Annotated[
        float, Field(gt=0, le=30, description="a webhook that fails for so long is switched off")
    ] = 5.0
    node_tokens: Annotated[
        dict[DeviceId, SecretStr],
        Field(description="bearer tokens of nodes for camera tiles, as JSON"),
    ] = {}
    mqtt_host: Annotated[str, Field(min_length=1, description="the broker's address")] = "127.0.0.1"
    mqtt_port: Annotated[int, Field(ge=1, le=65535, description="the broker's port")] = 1883
    mqtt_username: Annotated[str | None, Field(description="None: anonymous")] = None
    mqtt_password: Annotated[SecretStr | None, Field(description="of the user")] = None
    mqtt_tls_ca: Annotated[Path | None, Field(description="CA file; None: no TLS")] = None
    mqtt_plain: Annotated[
        bool, Field(description="a broker on another machine may be spoken to without TLS")
    ] = False
    mqtt_tls_cert: Annotated[
        Path | None, Field(description="this hub's certificate; None: a password will do")
    ] = None
    mqtt_tls_key: Annotated[Path | None, Field(description="the certificate's key")] = None
    mqtt_wait_s: Annotated[
        float, Field(gt=0, le=600, description="give up if the broker is not there by then")
    ] = 20.0
    smtp_host: Annotated[
        str | None, Field(description="mail server for receipts; None: no e-mail")
    ] = None
    smtp_port: Annotated[int, Field(ge=1, le=65535, description="TCP port")] = 587
    smtp_tls: Annotated[
        Literal["starttls", "tls", "none"], Field(description="none: to this machine only")
    ] = "starttls"
    smtp_user: Annotated[str | None, Field(description="None: no login")] = None
    smtp_password: Annotated[SecretStr | None, Field(description="of the user")] = None
    smtp_sender: Annotated[
        str | None,
        Field(pattern=r"^[^\r\n]{1,200}@[^\r\n]{1,200}$", description="receipts come from"),
    ] = None
    receipt_seller: Annotated[
        str, Field(max_length=400, description="name, address and VAT id; lines parted by \\n")
    ] = ""
    receipt_fonts: Annotated[
        tuple[Path, ...], Field(max_length=8, description="fonts for scripts of product names")
    ] = ()
    evidence_dir: Annotated[
        Path | None,
        Field(description="what nodes sent for reviews and disputes; None: beside the database"),
    ] = None
    evidence_quota_bytes: Annotated[
        int, Field(ge=100_000, description="on disk; the oldest go first")
    ] = 500_000_000
    evidence_keep_s: Annotated[
        float, Field(gt=0, le=366 * 86_400, description="then it is deleted")
    ] = 30 * 86_400.0
    training_dir: Annotated[
        Path | None,
        Field(description="reviewed pictures are kept here as training truth; None: none are"),
    ] = None
    training_quota_bytes: Annotated[
        int, Field(ge=100_000, description="nothing is added above it")
    ] = 2_000_000_000
    screen_tokens: Annotated[
        dict[GateId, Annotated[SecretStr, Field(min_length=12)]],
        Field(description="what a display at a gate or a kiosk at a wall shows to be one, as JSON"),
    ] = {}
    tick_s: Annotated[float, Field(ge=0.05, le=2.0, description="between two decisions")] = 0.2
    lease_ttl_s: Annotated[
        float,
        Field(
            ge=3,
            le=60,
            description="PostgreSQL: another hub takes the store over after so long without us",
        ),
    ] = 5.0
    owner_name: Annotated[
        str | None,
        Field(max_length=100, description="this hub's name in the lease; None: host and process"),
    ] = None
    log_format: Annotated[
        LogFormat, Field(description="lines for people, or JSON for a collector of logs")
    ] = "console"
    snapshot_every: Annotated[
        int, Field(ge=100, le=10_000_000, description="inputs between snapshots")
    ] = 20_000
    payer_numbers: Annotated[
        bool, Field(description="write a number for a payer's name, which can then be forgotten")
    ] = False
    retention: Retention = Retention()
    rules: Rules = Rules()

    @property
    def factor_required(self) -> bool:
        """Whether managers and admins need a second factor."""
        return self.staff_accounts if self.totp_required is None else self.totp_required


def keys_path(settings: HubSettings) -> Path | None:
    """Where the keys for entry codes are; None for a database in memory: they end with it."""
    if settings.entry_keys_file is not None:
        return settings.entry_keys_file
    return _beside(settings.database_url, "entry-keys")


def account_keys_path(settings: HubSettings, database_url: str) -> Path | None:
    """Where the keys for second factors are; None for a database in memory: they end with it."""
    if settings.account_keys_file is not None:
        return settings.account_keys_file
    if settings.entry_keys_file is not None:
        return settings.entry_keys_file.with_name("account-keys.json")
    return _beside(database_url, "account-keys")


def _beside(database_url: str, word: str) -> Path | None:
    file = database_url.removeprefix("sqlite:///")
    if file in ("", ":memory:") or database_url == "sqlite://":
        return None
    if file == database_url:
        return Path(f"{word}.json")
    return Path(file).with_suffix(f".{word}.json")


def load_settings(path: Path | None = None) -> HubSettings:
    """From the environment and, below it, a YAML file; SettingsError names what is wrong."""
    from_file = {} if path is None else _read(path)
    if "time_zone" in from_file or "SORTIE_HUB_TIME_ZONE" in os.environ:
        raise SettingsError(
            "expected the store's time zone in the store file alone (time_zone: Europe/Berlin), "
            "got it as a setting too; remove SORTIE_HUB_TIME_ZONE or time_zone"
        )

    class _Layered(HubSettings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return env_settings, InitSettingsSource(settings_cls, init_kwargs=from_file)

    try:
        settings = _Layered()
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_input=False)[:10]
        )
        raise SettingsError(
            f"expected settings as SORTIE_HUB_NAME or in a YAML file: {faults}"
        ) from error
    _check_database(settings)
    _check_broker(settings)
    _check_door(settings)
    _check_aftercare(settings)
    _check_gateway(settings)
    return settings


def _check_database(settings: HubSettings) -> None:
    """What the books hold crosses a network only where nobody can read or change it."""
    url = urlsplit(settings.database_url)
    if settings.database_plain or not url.scheme.startswith("postgresql"):
        return
    asked = parse_qs(url.query)
    named = [*url.netloc.rpartition("@")[2].split(","), *asked.get("host", [])]
    hosts = [urlsplit(f"//{one}").hostname or "" if one[:1] != "/" else "" for one in named]
    away = [one for one in hosts if one and not is_loopback(one)]
    mode = asked.get("sslmode", ["none"])[-1]
    if away and mode not in ("verify-ca", "verify-full"):
        raise SettingsError(
            f"expected TLS to PostgreSQL at {away[0]}, got sslmode={mode}; add "
            "?sslmode=verify-full&sslrootcert=FILE to SORTIE_HUB_DATABASE_URL, or set "
            "SORTIE_HUB_DATABASE_PLAIN=true where the network itself is encrypted"
        )


def _check_broker(settings: HubSettings) -> None:
    """Passwords of nodes and what they see cross a network only where nobody can read them."""
    if settings.mqtt_plain or settings.mqtt_tls_ca is not None or is_loopback(settings.mqtt_host):
        return
    raise SettingsError(
        f"expected TLS to the broker at {settings.mqtt_host}, got none; set "
        "SORTIE_HUB_MQTT_TLS_CA to the ca.crt of `sortie devices`, or SORTIE_HUB_MQTT_PLAIN=true "
        "where the network itself is encrypted"
    )


def _check_door(settings: HubSettings) -> None:
    shared = settings.staff_password is not None
    if not shared and not settings.staff_accounts and not is_loopback(settings.host):
        raise SettingsError(
            f"expected a staff password to listen on {settings.host}, which others can reach; "
            "set SORTIE_HUB_STAFF_PASSWORD, or SORTIE_HUB_STAFF_ACCOUNTS=true once there are "
            "accounts, or listen on 127.0.0.1"
        )
    if shared and (settings.totp_required or settings.staff_accounts):
        raise SettingsError(
            "expected no shared staff password where accounts or second factors are required; "
            "unset SORTIE_HUB_STAFF_PASSWORD and give the pages an API key"
        )


def _check_aftercare(settings: HubSettings) -> None:
    """What the mails and receipts need; SettingsError says what is missing."""
    if settings.smtp_host is None:
        return
    if settings.smtp_sender is None:
        raise SettingsError("expected SORTIE_HUB_SMTP_SENDER beside SORTIE_HUB_SMTP_HOST")
    if settings.smtp_tls == "none" and not is_loopback(settings.smtp_host):
        raise SettingsError(
            f"expected SORTIE_HUB_SMTP_TLS to be starttls or tls for {settings.smtp_host}: "
            "addresses must not cross a network in the clear"
        )


def _check_gateway(settings: HubSettings) -> None:
    """A key that moves real money is used only where nobody can listen to it or to shoppers."""
    key = settings.stripe_secret_key
    if settings.gateway != "stripe":
        if key is not None and not is_test_key(key):
            raise SettingsError(
                "expected SORTIE_HUB_GATEWAY=stripe with a live key of Stripe's, got fake; leave "
                "the key out where it is not used"
            )
        return
    if key is None:
        raise SettingsError(
            "expected a secret key for the gateway stripe; set SORTIE_HUB_STRIPE_SECRET_KEY to "
            "the sk_test_… of your Stripe account"
        )
    if not key.get_secret_value().startswith(("sk_", "rk_")):
        raise SettingsError(
            "expected a secret or restricted key (sk_…, rk_…) in SORTIE_HUB_STRIPE_SECRET_KEY, "
            "got something else; a publishable key (pk_…) cannot hold money"
        )
    base = urlsplit(settings.stripe_api_base or "https://api.stripe.com")
    if base.scheme not in ("http", "https") or not base.hostname:
        raise SettingsError(
            f"expected an address such as https://api.stripe.com, got {settings.stripe_api_base}"
        )
    if base.scheme != "https" and not is_loopback(base.hostname):
        raise SettingsError(
            f"expected https for Stripe at {base.hostname}: the secret key goes there"
        )
    if is_test_key(key):
        return
    if settings.stripe_api_base is not None and base.scheme != "https":
        raise SettingsError("expected a test key (sk_test_…) with an address that is not https")
    if not is_loopback(settings.host):
        raise SettingsError(
            f"expected TLS with a live key of Stripe's, and the hub listens on {settings.host} in "
            "plain HTTP; listen on 127.0.0.1 behind a proxy that has a certificate"
        )
    if settings.stripe_webhook_secret is None:
        raise SettingsError(
            "expected SORTIE_HUB_STRIPE_WEBHOOK_SECRET with a live key: without it nobody learns "
            "of disputes and of holds that Stripe let go"
        )


def is_test_key(key: SecretStr) -> bool:
    """Whether a key of Stripe's moves no real money."""
    return key.get_secret_value().startswith(("sk_test_", "rk_test_"))


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read; give a YAML file of settings") from error
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: not a YAML mapping of settings: {error}") from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: not a YAML mapping of settings, got {values!r:.60}")
    return values


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
