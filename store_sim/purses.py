"""Who of the simulated shoppers pays with a wallet. Of six, two have one of their own, and one
comes with a friend on the friend's: a group on one payer. Owners tip."""

from __future__ import annotations

from store_sim.phones import HubClient, PhoneVisit

__all__ = ["Purses"]

OF = 6
OWNER = {1: 1, 2: 1, 4: 4}
"""Place among six to the place of whoever pays."""
BALANCE_MINOR = 1_000
TIP_MINOR = 50
KEPT_MAX = 1_000


class Purses:
    """Wallets of shoppers, opened when they are first needed. OSError when the hub fails."""

    def __init__(self, client: HubClient) -> None:
        self._client = client
        self._tokens: dict[int, str] = {}
        self._filled: set[int] = set()

    def of(self, shopper: int) -> str | None:
        """The token of the wallet that pays for a shopper; None: a card does. Asking again after
        a failure goes on where it failed."""
        owner = self._owner(shopper)
        if owner is None:
            return None
        if owner not in self._tokens:
            while len(self._tokens) >= KEPT_MAX:
                oldest = next(iter(self._tokens))
                del self._tokens[oldest]
                self._filled.discard(oldest)
            self._tokens[owner] = self._client.open_wallet()
        token = self._tokens[owner]
        if owner not in self._filled:
            self._client.top_up(token, "first", BALANCE_MINOR)
            self._client.order(token, ("stored", "card"))
            self._filled.add(owner)
        return token

    def tips(self, shopper: int) -> bool:
        """Whether a shopper will tip."""
        return self._owner(shopper) == shopper

    def tip(self, shopper: int, visit: PhoneVisit) -> None:
        """Tips; the same tip again changes nothing."""
        self._client.tip(visit, f"tip-{shopper}", TIP_MINOR)

    @staticmethod
    def _owner(shopper: int) -> int | None:
        place = OWNER.get(shopper % OF)
        return None if place is None else shopper - shopper % OF + place
