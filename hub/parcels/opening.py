"""How a session at a wall begins and ends, whoever is there: what is kept of it, and what the log
says."""

from __future__ import annotations

from hub.parcels.model import Session, SessionLook, Wall, Who
from hub.state import HubState

__all__ = ["new_session", "over", "told_open"]


def new_session(state: HubState, wall: Wall, who: Who, look: SessionLook = "take_a") -> Session:
    """Somebody more is at a wall; the log does not know of them yet."""
    wall.numbered += 1
    session = Session(
        session_id=f"{wall.wall_id}:{wall.numbered}",
        wall_id=wall.wall_id,
        who=who,
        look=look,
        began_s=state.now_s,
        moved_s=state.now_s,
    )
    wall.sessions.append(session)
    return session


def told_open(state: HubState, session: Session) -> None:
    """It is told who is served, and with how much."""
    state.event(
        "pickup.opened",
        None,
        session_id=session.session_id,
        wall_id=session.wall_id,
        who=session.who,
        look=session.look,
        orders=list(session.orders),
        parcels=len(session.keys),
    )


def over(state: HubState, wall: Wall, session: Session) -> None:
    """It is shown for a while how it ended."""
    session.over_s = state.now_s
    state.parcels.touched.add(wall.wall_id)
    # Its orders may have waited for this to expire.
    state.parcels.next_s = None
    state.event(
        "pickup.ended",
        None,
        session_id=session.session_id,
        wall_id=wall.wall_id,
        state=session.state,
        reason=session.reason,
        taken=len(session.taken),
        left=list(session.left),
        wrong=len(session.wrong),
    )
