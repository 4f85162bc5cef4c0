"""Errors of webhooks.

WebhookError (a RejectedError)
├── AddressRefusedError   an URL that webhooks must not go to
└── UnknownWebhookError   no subscription by that id
"""

from __future__ import annotations

from hub.errors import RejectedError

__all__ = ["AddressRefusedError", "UnknownWebhookError", "WebhookError"]


class WebhookError(RejectedError):
    """Something about webhooks cannot be done; nothing changed."""


class AddressRefusedError(WebhookError):
    """An URL that webhooks must not go to."""


class UnknownWebhookError(WebhookError):
    """No subscription by that id."""
