"""Light waits for whom it is for: what follows from whether anybody is before a wall.

The parcels of a customer who was there and has gone do not shine; they shine again when somebody
comes back soon, else the session ends. Who is there is not known, only whether anybody is, so that
a session counts as met where nobody else can be meant. A wall whose node tells nothing of it goes
by time alone.
"""

from __future__ import annotations

from hub.parcels.model import Session, Wall

__all__ = ["AWAY_S", "attended", "away", "gone_for_good", "seen_again", "stayed", "unattended"]

AWAY_S = 8.0
"""Who is away for longer has gone for good."""
STAYED_S = 5.0
"""Who was there before the scan and still is so much later is no passer-by."""


def attended(wall: Wall) -> None:
    """Somebody is before the wall. Who comes after the only scan is whoever scanned."""
    came = not wall.somebody
    wall.somebody, wall.nobody_s = True, None
    only = _only(wall)
    if came and only is not None:
        only.met = True


def stayed(wall: Wall, now_s: float) -> None:
    """Time passed: who scanned where the camera sees them was there before their session."""
    only = _only(wall)
    if only is not None and wall.somebody and now_s >= only.began_s + STAYED_S:
        only.met = True


def unattended(wall: Wall, now_s: float) -> None:
    """Nobody is before the wall."""
    wall.somebody = False
    if wall.nobody_s is None:
        wall.nobody_s = now_s


def seen_again(wall: Wall, now_s: float) -> None:
    """A camera of the wall sees again: who came and went meanwhile is not known."""
    if wall.nobody_s is not None:
        wall.nobody_s = now_s


def away(wall: Wall, session: Session) -> bool:
    """Whether a customer was there and is not, so that nothing invites them."""
    met = session.who == "customer" and session.met and session.live
    return met and wall.nobody_s is not None and not wall.blind


def gone_for_good(wall: Wall, session: Session, now_s: float) -> bool:
    """Whether a customer has been away for long, and nothing moved meanwhile."""
    if wall.nobody_s is None or not away(wall, session):
        return False
    return now_s >= max(wall.nobody_s, session.moved_s) + AWAY_S


def _only(wall: Wall) -> Session | None:
    """The customer that is served, if nobody else can be whom the cameras see."""
    live = wall.live()
    return live[0] if len(live) == 1 and live[0].who == "customer" else None
