"""What a wall says to whoever stands before it, to read and to speak. Nobody is named."""

from __future__ import annotations

from hub.parcels.model import AlarmKind, Refusal, Session

__all__ = ["ALARM_WORDS", "REFUSAL_WORDS", "colour_of", "session_words"]

REFUSAL_WORDS: dict[Refusal, str] = {
    "": "",
    "unknown": "This code is not known here. Please ask the staff.",
    "forged": "This code is not valid. Please ask the staff.",
    "other_store": "This code is for another store.",
    "expired": "This code has run out. Please show a new one.",
    "used": "This code was used already. Please show a new one.",
    "cancelled": "This order was cancelled. Please ask the staff.",
    "collected": "This order was collected already.",
    "order_expired": "The time to collect this order is over. Please ask the staff.",
    "not_ready": "Your order is not ready yet.",
    "elsewhere": "Your parcels are at another wall.",
    "busy": "One moment, please. Two customers are being served.",
    "unpaid": "Please pay at the desk.",
    "blind": "The camera cannot see. Please ask the staff.",
    "late": "Please scan again.",
    "wait": "Too many wrong codes. Please wait a minute.",
}
ALARM_WORDS: dict[AlarmKind, str] = {
    "wrong_taken": "a parcel was taken that is not theirs",
    "taken_by_nobody": "a parcel was taken and nobody had scanned",
    "duplicate_label": "two things carry the same label",
    "unknown_taken": "something without a label was taken",
    "unpaid_taken": "a parcel was taken before it was paid",
    "handover_unseen": "a parcel went while the camera was blind: say what became of it",
    "guessed_at": "many wrong codes were shown here",
    "stands_again": "a parcel that was handed over stands here again",
    "projector": "the projector does not show where it should",
}


def colour_of(session: Session, *, lamps: bool = False) -> str:
    """How a session's marks are called: by colour and by form, for those who do not tell colours
    apart. `lamps`: lamps below a parcel shine, and no form is thrown at it."""
    if lamps:
        return "blinking blue lamps below" if session.look == "take_b" else "green lamps below"
    return "blue diamond" if session.look == "take_b" else "green ring"


def session_words(
    session: Session, *, parcels: int, taken: int, away: bool = False, lamps: bool = False
) -> str:
    """One sentence or two on how a session stands. `away`: its light waits for them; `lamps`: see
    colour_of."""
    if session.state == "refused":
        return REFUSAL_WORDS[session.reason]
    if session.state == "wrong":
        return "Stop. This parcel is not yours. Please put it back."
    if session.reason in ("cancelled", "order_expired", "blind"):
        return REFUSAL_WORDS[session.reason]
    if session.who == "staff":
        return "Put it here." if session.placing is not None else "Scan a parcel."
    if session.state == "reading":
        return "One moment, please."
    if session.state == "done":
        return "That is all. Thank you."
    if session.state == "ended":
        return f"{_count(len(session.left))} left behind." if session.left else "Goodbye."
    if away:
        return "The light waits for you. Please step up to the wall."
    left = parcels - taken
    more = " Some of it must be paid at the desk." if session.unpaid else ""
    if session.elsewhere:
        more += f" {_count(session.elsewhere)} at another wall."
    if session.state == "taken":
        return f"Right. {_count(left)} to go.{more}"
    return f"Take the {_count(left)} with the {colour_of(session, lamps=lamps)}.{more}"


def _count(number: int) -> str:
    return f"{number} parcel" if number == 1 else f"{number} parcels"
