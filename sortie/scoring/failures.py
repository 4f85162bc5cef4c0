"""The failure cards of the report: truth, pictures, and each sensor set's evidence and verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from hub.pages.words import money
from sortie.lockstep import Sensors
from sortie.scoring import charts, words
from sortie.scoring.cards import Card, Moment
from sortie.scoring.findings import Finding, beliefs_of, reaches_near
from sortie.scoring.illustrate import Drawn
from sortie.scoring.plan import Run
from sortie.scoring.runner import Scored

__all__ = ["IMAGE_BYTES_MAX", "CardMaker", "set_label"]

IMAGE_BYTES_MAX = 16 * 1024 * 1024
"""Of all pictures in one report, as text; later ones are left out and counted."""
NEWS_SHOWN_MAX = 8
WHEN_WORDS = {"before": "a second before", "at": "at the moment", "after": "a second after"}
_MARKS = {
    "both": '<svg viewBox="0 0 10 10" aria-hidden="true"><circle cx="5" cy="5" r="4.6"/></svg>',
    "camera": '<svg viewBox="0 0 10 10" aria-hidden="true"><path d="M1 1h8v8h-8z"/></svg>',
    "plates": '<svg viewBox="0 0 10 10" aria-hidden="true"><path d="M5 0l5 9.5h-10z"/></svg>',
}


def set_label(sensors: str) -> str:
    """A sensor set's name with its mark."""
    return f'<span class="set s-{sensors}">{_MARKS[sensors]}{escape(sensors)}</span>'


@dataclass(slots=True)
class CardMaker:
    """Makes cards one after another and counts the pictures it puts in."""

    scored: Scored
    names: Mapping[str, str]
    currency: str
    drawn: Drawn
    image_bytes: int = 0
    images_left_out: int = 0

    def card(self, card: Card, *, is_open: bool) -> str:
        """One wrong receipt."""
        verdicts = "".join(self._verdict(name, row) for name, row in card.rows.items())
        blocks = [self._moment(card, moment) for moment in card.moments]
        return (
            f'<details class="pane failure" id="{_anchor(card)}"{" open" if is_open else ""}>'
            f"<summary><h3>{escape(card.case)}, {escape(card.shopper)} "
            f"<small>seed {card.seed}</small></h3>{verdicts}</summary>"
            f'<div class="body">{self._receipts(card)}{self._news(card)}{"".join(blocks)}</div>'
            "</details>"
        )

    # ------------------------------------------------------------ the receipt

    @staticmethod
    def _verdict(sensors: str, row: Mapping[str, Any]) -> str:
        if row["exact"]:
            return f'<span class="verdict">{set_label(sensors)} ✓ exact</span>'
        faults = []
        if row["overcharged_minor"]:
            faults.append("overcharged")
        if row["undercharged_minor"] or not faults:
            faults.append("undercharged")
        said = " and ".join(faults) + (", in review" if row["reviewed"] else "")
        return f'<span class="verdict wrong">{set_label(sensors)} ✗ {said}</span>'

    def _receipts(self, card: Card) -> str:
        row = next(iter(card.rows.values()))
        owed = escape(words.goods(row["truth"], self.names))
        lines = [
            f"<tr><td><b>owed</b></td><td>{owed}</td><td class='num'></td></tr>",
        ]
        for sensors, one in card.rows.items():
            charged = escape(words.goods(one["receipt"], self.names))
            total = money(one["total_minor"], self.currency)
            over, under = one["overcharged_minor"], one["undercharged_minor"]
            apart = [f"{money(over, self.currency)} too much"] if over else []
            apart += [f"{money(under, self.currency)} too little"] if under else []
            said = f"{total}" + (f"; {', '.join(apart)}" if apart else "")
            lines.append(
                f"<tr><td>{set_label(sensors)}</td><td>{charged}</td><td class='num'>{said}</td>"
                "</tr>"
            )
        members = f"<p class='small soft'>Pays for shopper {_listed(row['members'])} as well.</p>"
        free = f"<p class='small soft'>Took {escape(words.goods(row['free'], self.names))}, "
        free += "which nobody owes for.</p>"
        return (
            f"<table><tbody>{''.join(lines)}</tbody></table>"
            f"{members if row['members'] else ''}{free if row['free'] else ''}"
        )

    def _news(self, card: Card) -> str:
        """What the hub said about the visit, for each set in which it went wrong."""
        said: dict[str, list[str]] = {}
        for sensors, row in card.rows.items():
            trace = self.scored.traces.get(Run(card.case, card.seed, sensors))
            if row["exact"] or trace is None:
                continue
            for at_s, text in words.news(trace, (card.visit_id,), self.names, self.currency)[
                :NEWS_SHOWN_MAX
            ]:
                said.setdefault(f"{at_s:.1f} s: {text}", []).append(sensors)
        if not said:
            return ""
        items = "".join(
            f"<li>{escape(text)} <span class='soft'>({', '.join(sets)})</span></li>"
            for text, sets in said.items()
        )
        return (
            "<details class='small'><summary>The visit as the hub told it</summary>"
            f"<ul class='said'>{items}</ul></details>"
        )

    # ------------------------------------------------------------ one moment

    def _moment(self, card: Card, moment: Moment) -> str:
        first = moment.first
        trace = next(
            trace
            for run, trace in self.scored.traces.items()
            if (run.case, run.seed) == (card.case, card.seed) and run.sensors in moment.findings
        )
        title = escape(words.happened(first, self.names))
        truth = escape(words.truth_sentence(first, self.names, trace["hands"]))
        if moment.spot is None:
            truth = "Neither the truth nor a decision of the hub tells when."
        panels = "".join(
            self._panel(card, moment, sensors, found) for sensors, found in moment.findings.items()
        )
        return (
            f'<section class="moment-block"><h3>{title}</h3><p class="truth soft">{truth}</p>'
            f'{self._scene(card, moment)}<div class="sets">{panels}</div></section>'
        )

    def _scene(self, card: Card, moment: Moment) -> str:
        """Frames and plate curves."""
        if moment.spot is None:
            return ""
        drawn = self.drawn.get((card.case, card.seed, moment.spot))
        if drawn is None:
            self.images_left_out += 1
            return "<p class='small soft'>No pictures: there are more moments than are drawn.</p>"
        if "fault" in drawn:
            return f"<p class='note'>No pictures: {escape(str(drawn['fault']))}</p>"
        size = sum(len(frame["webp"]) for frame in drawn["frames"])
        parts = []
        if not drawn["in_step"]:
            parts.append(
                "<p class='note'>The day went another way when it was drawn again: these pictures "
                "may show another moment.</p>"
            )
        if self.image_bytes + size > IMAGE_BYTES_MAX:
            self.images_left_out += 1
            parts.append("<p class='small soft'>No pictures: the report would be too large.</p>")
        else:
            self.image_bytes += size
            frames = "".join(_frame(frame) for frame in drawn["frames"])
            parts.append(f'<div class="frames">{frames}</div>')
        chart = charts.curves(drawn["curves"], moment.spot.t_s)
        if chart:
            key = "".join(
                f"<span><i class='p{place}'></i>{escape(plate['plate_id'])}"
                f"{' (beneath the hand)' if plate['own'] else ''}</span>"
                for place, plate in enumerate(drawn["curves"])
            )
            parts.append(f'<div class="chart">{chart}<div class="key">{key}</div></div>')
        return "".join(parts)

    def _panel(
        self, card: Card, moment: Moment, sensors: Sensors, findings: Sequence[Finding]
    ) -> str:
        """What one sensor set published, believed and decided."""
        trace = self.scored.traces[Run(card.case, card.seed, sensors)]
        kinds: dict[str, int] = {}
        for finding in findings:
            said = words.happened(finding, self.names)
            kinds[f"{finding.kind}: {said}"] = kinds.get(f"{finding.kind}: {said}", 0) + 1
        head = "".join(
            f"<span class='kind'>{escape(said)}{f' (× {count})' if count > 1 else ''}</span>"
            for said, count in kinds.items()
        )
        return (
            f'<div class="panel s-{sensors}"><div class="head">{set_label(sensors)}{head}</div>'
            f"{self._evidence(trace, moment, findings[0])}</div>"
        )

    def _evidence(self, trace: Mapping[str, Any], moment: Moment, finding: Finding) -> str:
        if moment.spot is None:
            return "<p class='small'>No decision of the hub accounts for it.</p>"
        near = reaches_near(trace, moment.spot.bay_id, moment.spot.t_s)
        known = {reach["reach_id"] for reach in near}
        if finding.decision is not None and finding.decision["reach_id"] not in known:
            near += [
                reach
                for reach in trace["reaches"]
                if reach["reach_id"] == finding.decision["reach_id"]
            ]
        if not near:
            return (
                "<p class='small'>No node published a reach at this bay within a second and a "
                "half: nothing was seen or weighed, so nothing could be charged.</p>"
            )
        people = {
            visit_id: "nobody" if visit["shopper"] is None else f"shopper-{visit['shopper']}"
            for visit_id, visit in trace["visits"].items()
        }
        beliefs = beliefs_of(trace)
        return "".join(self._reach(reach, beliefs, people) for reach in near)

    def _reach(
        self,
        reach: Mapping[str, Any],
        beliefs: Sequence[Mapping[str, Any]],
        people: Mapping[str, str],
    ) -> str:
        said = "".join(f"<li>{escape(line)}</li>" for line in words.published(reach, self.names))
        own = [one for one in beliefs if one["reach_id"] == reach["reach_id"]]
        bars = "".join(
            f'<div class="bar"><span>{escape(label)}</span><b>{chance:.0%}</b>'
            f'<i style="--share:{100 * chance:.1f}%"></i></div>'
            for label, chance in words.alternatives(own, people, self.names)
        )
        outcome = "".join(
            f"<li>{escape(words.decided(one, people, self.names))}</li>" for one in own
        )
        believed = (
            f'<h4>Believed</h4><div class="bars">{bars}</div>'
            f'<h4>Decided</h4><ul class="said">{outcome}</ul>'
            if own
            else "<h4>Believed</h4><p class='small'>The hub has not decided on it.</p>"
        )
        return (
            f'<div class="reach"><h4>Published by {escape(reach["node"])}, '
            f"{reach['t_open_s']:.2f} to {reach['t_close_s']:.2f} s</h4>"
            f'<ul class="said">{said}</ul>{believed}</div>'
        )


def _frame(frame: Mapping[str, Any]) -> str:
    mark = ""
    if frame["mark"] is not None:
        x, y = frame["mark"]
        mark = f'<span class="mark" style="left:{100 * x:.1f}%;top:{100 * y:.1f}%"></span>'
    when = WHEN_WORDS[frame["when"]]
    caption = f"{frame['camera_id']}, {when} ({frame['t_s']:.1f} s)"
    return (
        f'<figure><div class="shot"><img alt="{escape(caption)}" loading="lazy" '
        f'src="data:image/webp;base64,{frame["webp"]}">{mark}</div>'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _anchor(card: Card) -> str:
    return escape(f"{card.case}-{card.seed}-{card.shopper}-{card.visit_id}", quote=True)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(str(number) for number in numbers)
