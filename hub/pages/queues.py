"""View models of the review and dispute pages: the hub's JSON in, rows and HTML out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from hub.pages.words import Palette, act, label, money

__all__ = [
    "Candidate",
    "Task",
    "candidate_of_key",
    "clock",
    "dispute_html",
    "task_html",
    "tasks",
    "waiting_html",
]

Json = Mapping[str, Any]
CANDIDATES_MAX = 9
_OUTCOMES = {"refunded": "given back", "rejected": "stays as it is", "open": "waits for you"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """One explanation that vision named; `key` is the digit that confirms it."""

    key: str
    said: str
    chance: float
    choice: Json


@dataclass(frozen=True, slots=True)
class Task:
    """One unclear line of one visit, as staff decide it."""

    visit_id: str
    reach_id: str
    line: int
    until_s: float | None
    final: bool
    said: str
    why: str
    candidates: tuple[Candidate, ...]
    pictures: tuple[Json, ...]

    @property
    def key(self) -> str:
        """What names it on the page."""
        return f"{self.visit_id} {self.reach_id} {self.line}"


def tasks(answer: Json, names: Mapping[str, str]) -> list[Task]:
    """What waits for a decision: by deadline, then lines of visits that are not in review yet.

    A final visit's line is shown only where a put-back may lower the receipt.
    """
    found: list[Task] = []
    for visit in answer["visits"]:
        final = visit["stage"] == "final"
        for line in (*visit["lines"], *visit["late"]):
            if f"{line['reach_id']}/{line['line']}" in visit["decided"]:
                continue
            candidates = _candidates(line, visit["visit_id"], names, final=final)
            if final and not candidates:
                continue
            if not final and not answer["policy"]["review_wait_s"]:
                continue
            if visit["stage"] not in ("shopping", "left", "final"):
                continue
            pictures = [one for one in visit["evidence"] if one["reach_id"] == line["reach_id"]]
            found.append(
                Task(
                    visit_id=visit["visit_id"],
                    reach_id=line["reach_id"],
                    line=line["line"],
                    until_s=visit["until_s"],
                    final=final,
                    said=f"{label(line['to_visit'])} {act(line, names)}",
                    why=str(line["why"]),
                    candidates=candidates,
                    pictures=tuple(pictures),
                )
            )
    return found


def candidate_of_key(task: Task, key: str) -> tuple[bool, Json | None]:
    """Whether a key decides the task, and how: J or 1 yes to the likeliest, digits the others, K or
    0 nothing."""
    wanted = {"j": "1", "k": "0"}.get(key.lower(), key)
    if wanted == "0":
        return True, None
    found = next((one for one in task.candidates if one.key == wanted), None)
    return (False, None) if found is None else (True, found.choice)


def clock(seconds: float) -> str:
    """Seconds as m:ss.

    >>> clock(75.2), clock(-3)
    ('1:15', '0:00')
    """
    whole = max(0, int(seconds))
    return f"{whole // 60}:{whole % 60:02d}"


def task_html(task: Task, palette: Palette, now_s: float) -> str:
    """The task that is decided next: pictures, explanations with their keys."""
    colour = palette.of(task.visit_id)
    if task.until_s is not None:
        left_s = task.until_s - now_s
        tone = "red" if left_s < 60 else "amber"
        wait = f'<span class="word {tone}" id="left">free in {clock(left_s)}</span>'
    else:
        wait = f'<span class="word">{"final: only down" if task.final else "still shopping"}</span>'
    rows = "".join(
        f"<li><kbd>{one.key}</kbd><span>{escape(one.said)}</span>"
        f'<span class="bar"><i style="width:{100 * one.chance:.0f}%"></i></span>'
        f'<b class="chance">{one.chance:.2f}</b></li>'
        for one in task.candidates
    )
    nothing = "<li><kbd>0</kbd><span>nothing was taken or put back</span></li>"
    return (
        f'<article class="task" data-task="{escape(task.key)}"><div class="pair">'
        f'<h3><i style="background:{colour}"></i>{escape(task.said)}</h3>{wait}</div>'
        f'{_pictures(task.pictures)}<ol class="candidates">{rows}{nothing}</ol>'
        f'<p class="why">{escape(task.why)}</p></article>'
    )


def waiting_html(rest: Sequence[Task], now_s: float) -> str:
    """What comes after it."""
    if not rest:
        return '<p class="quiet">Nothing else waits.</p>'
    items = "".join(
        f"<li><span>{escape(task.said)}</span><span>"
        f"{'' if task.until_s is None else clock(task.until_s - now_s)}</span></li>"
        for task in rest
    )
    return f'<ol class="waiting">{items}</ol>'


def dispute_html(row: Json, currency: str, palette: Palette) -> str:
    """One dispute with its evidence."""
    colour = palette.of(row["visit_id"])
    how = _OUTCOMES.get(row["state"], str(row["state"]))
    if row["state"] == "open" and row["automatic"]:
        how = "is given back as soon as the charge has gone through"
    elif row["state"] != "open":
        how += f" by {row['by']}" + (f": {row['reason']}" if row["reason"] else "")
    tone = {"refunded": "good", "rejected": "red", "open": "amber"}.get(row["state"], "amber")
    said = "".join(
        f"<li><span>{escape(act(one, {row['gtin']: row['name']}))}</span>"
        f'<span class="sure">{float(one["probability"]):.2f}</span></li>'
        for one in row["decisions"]
    )
    words = f"<blockquote>{escape(row['words'])}</blockquote>" if row["words"] else ""
    return (
        f'<article class="task" data-dispute="{escape(row["dispute_id"])}"><div class="pair">'
        f'<h3><i style="background:{colour}"></i>{row["quantity"]} × {escape(row["name"])}, '
        f'{money(row["amount_minor"], currency)}</h3><span class="word {tone}">{escape(how)}</span>'
        f'</div><p class="quiet">{escape(label(row["visit_id"]))}, line {row["line"]}</p>{words}'
        f"{_pictures(row['evidence'])}{f'<ul class=others>{said}</ul>' if said else ''}</article>"
    )


def _candidates(
    line: Json, visit_id: str, names: Mapping[str, str], *, final: bool
) -> tuple[Candidate, ...]:
    found = []
    seen: set[tuple[Any, ...]] = set()
    # A late decision may be sure, and then it names nothing but itself.
    best = [line["to_visit"], line["gtin"], line["quantity"], line.get("probability", 0)]
    for who, gtin, quantity, chance in (*line["alternatives"], best):
        if gtin is None or not quantity or (who, gtin, quantity) in seen:
            continue
        seen.add((who, gtin, quantity))
        if final and (who != visit_id or quantity > 0):
            continue
        said = f"{label(who)} {act({'gtin': gtin, 'quantity': quantity, 'certain': True}, names)}"
        choice = {"visit_id": who, "gtin": gtin, "quantity": quantity}
        found.append((float(chance), said, choice))
    found.sort(key=lambda one: -one[0])
    return tuple(
        Candidate(str(number), said, chance, choice)
        for number, (chance, said, choice) in enumerate(found[:CANDIDATES_MAX], 1)
    )


def _pictures(rows: Sequence[Json]) -> str:
    if not rows:
        return '<p class="quiet">No pictures of this reach were kept.</p>'
    parts = []
    for row in rows:
        if row["state"] == "here" and row["media_type"] == "image/jpeg":
            parts.append(
                f'<img src="/evidence/{escape(row["sha256"])}" alt="before, during and after">'
            )
        elif row["state"] == "here":
            parts.append(
                f'<video src="/evidence/{escape(row["sha256"])}" controls muted loop></video>'
            )
        else:
            text = {"missing": "The node has this picture no more."}.get(
                row["state"], "The picture is on its way…"
            )
            parts.append(f'<p class="quiet">{text}</p>')
    return f'<div class="strips">{"".join(parts)}</div>'
