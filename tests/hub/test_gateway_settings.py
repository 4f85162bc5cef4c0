"""Which settings of the gateway and the fiscal journal a hub does not start with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.store_file import StoreFile
from hub.errors import FiscalError, GatewaySetupError, SettingsError
from hub.fiscal.journal import entries_of
from hub.fiscal.keeper import FiscalKeeper, keeping
from hub.fiscal.keys import make_key
from hub.settings import HubSettings, load_settings
from hub.wallet.fake import FakeGateway
from hub.wallet.opening import open_desk, open_gateway
from hub.wallet.stripe import StripeGateway

LIVE, TEST = "sk_live_0123456789", "sk_test_0123456789"
HOOK = "whsec_0123456789"


def _load(tmp_path: Path, **values: str) -> HubSettings:
    path = tmp_path / "hub.yaml"
    path.write_text(
        "store_file: x.yaml\n" + "".join(f"{k}: {json.dumps(v)}\n" for k, v in values.items())
    )
    return load_settings(path)


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"gateway": "paypal"}, "gateway"),
        ({"gateway": "stripe"}, "SORTIE_HUB_STRIPE_SECRET_KEY"),
        ({"gateway": "stripe", "stripe_secret_key": "short"}, "stripe_secret_key"),
        ({"gateway": "stripe", "stripe_secret_key": "pk_test_0123456789"}, "publishable"),
        ({"gateway": "stripe", "stripe_secret_key": LIVE}, "WEBHOOK_SECRET"),
        ({"gateway": "stripe", "stripe_secret_key": LIVE, "stripe_webhook_secret": HOOK,
          "host": "0.0.0.0", "staff_password": "correct horse battery"}, "TLS"),
        ({"gateway": "stripe", "stripe_secret_key": LIVE, "stripe_webhook_secret": HOOK,
          "stripe_api_base": "http://127.0.0.1:9"}, "test key"),
        ({"gateway": "stripe", "stripe_secret_key": TEST,
          "stripe_api_base": "http://stripe.example"}, "https"),
        ({"gateway": "stripe", "stripe_secret_key": TEST, "stripe_api_base": "nonsense"},
         "https://api.stripe.com"),
        ({"stripe_secret_key": LIVE}, "SORTIE_HUB_GATEWAY=stripe"),
        ({"stripe_timeout_s": "0"}, "stripe_timeout_s"),
    ],
)  # fmt: skip
def test_settings_a_hub_does_not_start_with(
    tmp_path: Path, values: dict[str, str], why: str
) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        _load(tmp_path, **values)
    for secret in (LIVE, TEST, HOOK):
        assert secret not in str(caught.value)


def test_settings_it_starts_with(tmp_path: Path, layout: StoreFile) -> None:
    fake = open_gateway(_load(tmp_path, gateway_file=":memory:"), layout)
    assert isinstance(fake, FakeGateway)
    assert open_desk(fake, _load(tmp_path)) is None
    fake.close()
    values = {"gateway": "stripe", "stripe_secret_key": LIVE, "stripe_webhook_secret": HOOK}
    settings = _load(tmp_path, **values, database_url=f"sqlite:///{tmp_path / 'h.sqlite'}")
    assert LIVE not in repr(settings)
    gateway = open_gateway(settings, layout)
    assert isinstance(gateway, StripeGateway)
    assert open_desk(gateway, settings) is not None
    gateway.close()
    _load(tmp_path, gateway="stripe", stripe_secret_key=TEST, stripe_api_base="http://127.0.0.1:9")


def test_a_store_in_a_currency_stripe_takes_in_steps(tmp_path: Path, layout: StoreFile) -> None:
    dinars = layout.model_copy(update={"currency": "KWD"})
    settings = _load(tmp_path, gateway="stripe", stripe_secret_key=TEST)
    with pytest.raises(GatewaySetupError, match="KWD"):
        open_gateway(settings, dinars)


def test_the_keeper_feeds_the_journal_while_the_hub_runs(
    make_shop: Any, tmp_path: Path, layout: StoreFile
) -> None:
    shop = make_shop("hub.sqlite")
    key = tmp_path / "key"
    make_key(key)
    url = f"sqlite:///{tmp_path / 'hub.sqlite'}"
    keeper = FiscalKeeper(url, layout, key, every_s=1.0, now=lambda: 2 * 86_400.0)
    keeper.step(shop.hub.store)
    keeper.step(shop.hub.store)
    kinds = [entry.kind for entry in entries_of(shop.hub.store)]
    assert kinds == ["technical"], "an empty store opens its journal today"
    keeper.stop()
    with pytest.raises(FiscalError):
        FiscalKeeper(url, layout, tmp_path / "none", every_s=1.0, now=lambda: 0.0)


def test_keeping_a_journal_is_a_setting(tmp_path: Path, layout: StoreFile) -> None:
    with keeping(_load(tmp_path), layout, lambda: 0.0) as keeper:
        assert keeper is None
    make_key(tmp_path / "key")
    values = {"fiscal_key_file": str(tmp_path / "key"), "fiscal_every_s": "0.1"}
    memory = _load(tmp_path, **values, database_url="sqlite:///:memory:")
    with pytest.raises(SettingsError, match="in memory"), keeping(memory, layout, lambda: 0.0):
        pass
    lasting = _load(
        tmp_path, **values, database_url=f"sqlite:///{tmp_path / 'none' / 'hub.sqlite'}"
    )
    with keeping(lasting, layout, lambda: 0.0) as keeper:
        assert keeper is not None
        while keeper.fault is None:
            pass
    assert "database" in keeper.fault
