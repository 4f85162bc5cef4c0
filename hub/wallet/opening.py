"""The gateway that the settings name, opened for one store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from contracts.store_file import StoreFile
from hub.settings import HubSettings, is_test_key
from hub.store.database import is_memory
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import PaymentGateway

if TYPE_CHECKING:
    from hub.wallet.stripe import StripeGateway
    from hub.wallet.stripe_desk import StripeDesk

__all__ = ["OpenGateway", "open_desk", "open_gateway"]


class OpenGateway(PaymentGateway, Protocol):
    """A gateway that holds something open."""

    def close(self) -> None:
        """Lets go of it."""
        ...


def open_gateway(settings: HubSettings, layout: StoreFile) -> OpenGateway:
    """The in-house gateway, or Stripe's. GatewaySetupError if Stripe cannot serve this store."""
    if settings.gateway == "fake":
        return FakeGateway(settings.gateway_file)
    return _stripe(settings, layout)


def _stripe(settings: HubSettings, layout: StoreFile) -> StripeGateway:
    # Stripe's library is heavy; a hub that does not use it does not load it.
    from hub.wallet.book import MemoryBook, SqlBook
    from hub.wallet.stripe import StripeGateway

    key = settings.stripe_secret_key
    book = MemoryBook() if is_memory(settings.database_url) else SqlBook(settings.database_url)
    return StripeGateway(
        "" if key is None else key.get_secret_value(),
        store_id=layout.store_id,
        currency=layout.currency,
        book=book,
        api_base=settings.stripe_api_base,
        timeout_s=settings.stripe_timeout_s,
    )


def open_desk(gateway: PaymentGateway, settings: HubSettings) -> StripeDesk | None:
    """The desk for saving cards and for webhooks; None where the gateway is not Stripe's."""
    if not getattr(gateway, "remote", False):
        return None
    from hub.wallet.stripe import StripeGateway
    from hub.wallet.stripe_desk import StripeDesk

    key, secret = settings.stripe_secret_key, settings.stripe_webhook_secret
    if not isinstance(gateway, StripeGateway):
        return None
    return StripeDesk(
        gateway,
        webhook_secret=None if secret is None else secret.get_secret_value(),
        live=key is not None and not is_test_key(key),
    )
