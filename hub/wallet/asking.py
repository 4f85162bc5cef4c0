"""Asking a gateway once: whatever comes of it is an answer that can be journaled."""

from __future__ import annotations

from hub.commands import GatewayAnswered
from hub.errors import GatewaySetupError, GatewayTimeoutError
from hub.wallet.gateway import GatewayRequest, GatewayTotals, PaymentGateway

__all__ = ["ask_once", "near_totals"]


def ask_once(
    gateway: PaymentGateway, request: GatewayRequest
) -> tuple[GatewayAnswered, str | None]:
    """The answer, no answer being one too; and why the gateway refuses the hub itself, if it does:
    then asking again helps once somebody has mended it."""
    try:
        answer = gateway.ask(request)
    except (GatewayTimeoutError, GatewaySetupError) as error:
        fault = str(error) if isinstance(error, GatewaySetupError) else None
        none = GatewayAnswered(key=request.key, outcome="timeout", reason=str(error)[:200])
        return none, fault
    return GatewayAnswered(key=answer.key, outcome=answer.outcome, reason=answer.reason[:200]), None


def near_totals(gateway: PaymentGateway) -> GatewayTotals | None:
    """The gateway's books, unless they are far away: nobody waits for a network in the hub."""
    return None if getattr(gateway, "remote", False) else gateway.totals()
