"""Light waits for whom it is for: what follows from whether anybody is before a wall.

The parcels of a customer who was there and has gone do not shine; they shine again when somebody
comes back at once, else the session ends: whoever comes later may be the next. Who is there is not
known, only whether anybody is, so that a session counts as met where nobody else can be meant. A
wall whose node tells nothing of it goes by time alone.
"""

from __future__ import annotations

from hub.levels import NEXT_IN_LINE_LEVEL, YIELDS_LEVEL
from hub.parcels.model import Session, Wall

__all__ = [
    "AWAY_BEFORE_S",
    "AWAY_S",
    "CAME_S",
    "ON_THE_WAY_S",
    "attended",
    "away",
    "followed",
    "gone_for_good",
    "seen_again",
    "stayed",
    "unattended",
]

AWAY_S = 2.0
"""Who is away for longer has gone for good: the next in line may come right after."""
AWAY_BEFORE_S = 8.0
"""The same before NEXT_IN_LINE_LEVEL."""
CAME_S = 1.0
"""Who comes after a scan and is there for less may be passing by."""
STAYED_S = 5.0
"""Who was there before the scan and still is so much later is no passer-by."""
ON_THE_WAY_S = 15.0
"""Who scanned so long ago is on no way from the scanner to the wall any more."""


def attended(wall: Wall, now_s: float, level: int) -> None:
    """Somebody is before the wall. Who comes after the only scan is whoever scanned."""
    came = not wall.somebody
    wall.somebody, wall.nobody_s = True, None
    if not came:
        return
    wall.came_s = now_s
    only = _only(wall)
    if only is not None and level < NEXT_IN_LINE_LEVEL:
        only.met = True


def stayed(wall: Wall, now_s: float, level: int) -> None:
    """Time passed: who came after their scan and is still there was no passer-by, nor is who
    scanned where the camera sees them. Who scanned long ago was among those who were there and are
    not any more."""
    if level >= YIELDS_LEVEL:
        _all_went(wall, now_s)
    only = _only(wall)
    if only is None or not wall.somebody:
        return
    came_s = wall.came_s if level >= NEXT_IN_LINE_LEVEL else None
    came = came_s is not None and came_s > only.began_s and now_s >= came_s + CAME_S
    if came or now_s >= only.began_s + STAYED_S:
        only.met = True


def unattended(wall: Wall, now_s: float) -> None:
    """Nobody is before the wall."""
    if wall.somebody:
        wall.left_s = now_s
    wall.somebody = False
    if wall.nobody_s is None:
        wall.nobody_s = now_s


def seen_again(wall: Wall, now_s: float) -> None:
    """A camera of the wall sees again: who came and went meanwhile is not known."""
    if wall.nobody_s is not None:
        wall.nobody_s = now_s


def away(wall: Wall, session: Session) -> bool:
    """Whether a customer was there and is not, so that nothing invites them."""
    return _came(session) and wall.nobody_s is not None and not wall.blind


def followed(wall: Wall, session: Session, level: int) -> bool:
    """Whether a customer was there, then nobody was, and nothing of theirs has moved since: who is
    there now and scans something else is whoever came after them."""
    if away(wall, session):
        return True
    if level < YIELDS_LEVEL or wall.left_s is None or wall.blind:
        return False
    return _came(session) and wall.left_s > session.moved_s


def gone_for_good(wall: Wall, session: Session, now_s: float, level: int) -> bool:
    """Whether a customer has been away for long, and nothing moved meanwhile."""
    if wall.nobody_s is None or not away(wall, session):
        return False
    away_s = AWAY_S if level >= NEXT_IN_LINE_LEVEL else AWAY_BEFORE_S
    return now_s >= max(wall.nobody_s, session.moved_s) + away_s


def _came(session: Session) -> bool:
    """Whether it is a customer's who was seen to be there."""
    return session.who == "customer" and session.met and session.live


def _all_went(wall: Wall, now_s: float) -> None:
    """Everybody has gone. Of several customers none was known to be there by being the only one;
    that they would still come is not to be expected for ever."""
    if wall.nobody_s is None or wall.came_s is None:
        return
    for session in wall.live():
        there_s = wall.nobody_s - max(wall.came_s, session.moved_s)
        if there_s >= CAME_S and now_s >= session.moved_s + ON_THE_WAY_S:
            session.met = True


def _only(wall: Wall) -> Session | None:
    """The customer that is served, if nobody else can be whom the cameras see."""
    live = wall.live()
    return live[0] if len(live) == 1 and live[0].who == "customer" else None
