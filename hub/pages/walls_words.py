"""What stands, shines and goes wrong at a pick-up wall, in staff's words. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.pages.words import Tone

__all__ = [
    "ALARM_TONES",
    "LOOKS",
    "ORDER_STATES",
    "PARCEL_STATES",
    "alarm_words",
    "due_words",
    "key_tail",
    "order_tail",
    "projector_words",
    "session_words",
]

Json = Mapping[str, Any]
LOOKS = {
    "take_a": "green ring: take it",
    "take_b": "blue double diamond: take it",
    "not_this": "red cross: not this one",
    "wrong": "red blinking frame: was not yours",
    "place": "white dashed frame: put it here",
    "look": "white frame: staff, this one",
}
"""Marks and what each says to whoever stands before the wall."""
PARCEL_STATES: dict[str, Tone] = {
    "expected": "plain",
    "stowed": "plain",
    "ready": "good",
    "cued": "good",
    "taken": "amber",
    "handed_over": "plain",
    "returned": "plain",
    "missing": "red",
}
ORDER_STATES: dict[str, Tone] = {
    "open": "good",
    "collected": "plain",
    "expired": "amber",
    "cancelled": "plain",
}
TAIL_CHARS = 4
ALARM_TONES: dict[str, Tone] = {
    "wrong_taken": "red",
    "taken_by_nobody": "red",
    "unknown_taken": "red",
    "unpaid_taken": "red",
    "duplicate_label": "amber",
    "handover_unseen": "amber",
    "guessed_at": "amber",
    "stands_again": "amber",
    "projector": "red",
}
_ALARMS = {
    "wrong_taken": "The wrong parcel was taken: {parcel}. Ask for it back; nobody is accused.",
    "taken_by_nobody": "{parcel} was taken, and nobody had scanned in.",
    "unknown_taken": "Something without a readable label was taken.",
    "unpaid_taken": "{parcel} was taken, but its order is not paid.",
    "duplicate_label": "Two things carry the label of {parcel}. Neither is shown to anybody.",
    "handover_unseen": "{parcel} was taken while a camera was blind. Say what became of it.",
    "guessed_at": "Somebody tries codes out at this wall.",
    "stands_again": "{parcel} was handed over and stands here again.",
    "projector": "Projector {thing} does not show what it should. Nothing is shown by it.",
}
_SESSIONS: dict[str, tuple[str, Tone]] = {
    "reading": ("scanned in", "plain"),
    "showing": ("parcels are shown", "good"),
    "taken": ("has taken some", "good"),
    "wrong": ("took a wrong one", "red"),
    "done": ("has everything", "good"),
    "refused": ("refused", "amber"),
    "ended": ("has gone", "plain"),
}
_REFUSALS = {
    "unknown": "the code is not known",
    "forged": "the code is not one of ours",
    "other_store": "the code is for another store",
    "elsewhere": "the parcel is at another wall",
    "expired": "the code has run out",
    "used": "the code was used before",
    "cancelled": "the order was cancelled",
    "collected": "the order was fetched before",
    "order_expired": "the order's time is over",
    "not_ready": "the parcel is not here yet",
    "busy": "two are being served",
    "unpaid": "the order is not paid",
    "blind": "a camera of the wall is blind",
    "late": "the scan came late",
    "wait": "too many wrong codes",
}
_PROJECTORS: dict[str, tuple[str, Tone]] = {
    "true": ("hits what it aims at", "good"),
    "off": ("out of bounds: dark until it is calibrated", "red"),
    "calibrating": ("calibrating: dark meanwhile", "amber"),
    "unplugged": ("unplugged: dark", "red"),
    "unheard": ("nothing heard of it: dark", "amber"),
}


def key_tail(key: str | None) -> str:
    """The end of a parcel's key, as much as people compare.

    >>> key_tail("sscc:340123450000000017"), key_tail(None)
    ('…0017', 'unknown')
    """
    return "unknown" if not key else f"…{key[-TAIL_CHARS:]}"


def order_tail(order_id: str | None) -> str:
    """The end of an order's id: all of it that pages at the wall show.

    >>> order_tail("shop-2026-4F2K"), order_tail(None)
    ('4F2K', '')
    """
    return "" if order_id is None else order_id[-TAIL_CHARS:]


def alarm_words(alarm: Json) -> str:
    """An alarm as a sentence that says what to do."""
    words = _ALARMS.get(str(alarm["kind"]), str(alarm["kind"]).replace("_", " "))
    return words.format(
        parcel=f"Parcel {key_tail(alarm.get('key'))}", thing=alarm.get("thing_id") or "of the wall"
    )


def session_words(session: Json) -> tuple[str, Tone]:
    """How far somebody is, and why not further."""
    said, tone = _SESSIONS.get(str(session["state"]), (str(session["state"]), "plain"))
    if session["who"] == "staff" and session["state"] != "ended":
        return "works here", "plain"
    if session["paying"]:
        said = "the payment is asked for"
    elif session["away"] and session["state"] in ("showing", "taken"):
        said, tone = f"{said}; nobody is there, the light waits", "amber"
    reason = str(session["reason"])
    return (f"{said}: {_REFUSALS.get(reason, reason)}" if reason else said), tone


def projector_words(state: str, residual_mm: float | None, reason: str) -> tuple[str, Tone]:
    """What a projector does, with how far its marks are off.

    >>> projector_words("true", 2.14, "")
    ('hits what it aims at, within 2.1 mm', 'good')
    """
    said, tone = _PROJECTORS.get(state, (state, "plain"))
    if residual_mm is not None:
        said += f", within {residual_mm:.1f} mm" if state == "true" else f" ({residual_mm:.1f} mm)"
    return (f"{said}; {reason}" if reason else said), tone


def due_words(deadline_s: float | None, now_s: float) -> tuple[str, Tone]:
    """When an order's time is over.

    >>> due_words(None, 0.0), due_words(7200.0, 0.0), due_words(0.0, 90_000.0)
    (('no deadline', 'plain'), ('2 h left', 'amber'), ('over since 25 h', 'red'))
    """
    if deadline_s is None:
        return "no deadline", "plain"
    left_s = deadline_s - now_s
    if left_s < 0:
        return f"over since {_span(-left_s)}", "red"
    return f"{_span(left_s)} left", "amber" if left_s <= 4 * 3600 else "plain"


def _span(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds // 60:.0f} min"
    return f"{seconds // 3600:.0f} h" if seconds < 48 * 3600 else f"{seconds // 86_400:.0f} days"
