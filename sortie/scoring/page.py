"""The report of a scoring: one HTML file that needs nothing else, readable on a phone."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from rich.console import Console

from contracts.store_file import StoreFile, load_store_file
from sortie.output import write_output
from sortie.scoring.cards import Card, cards_of
from sortie.scoring.charts import score_strip
from sortie.scoring.failures import CardMaker, set_label
from sortie.scoring.illustrate import illustrate
from sortie.scoring.results import Results
from sortie.scoring.runner import Scored
from sortie.scoring.style import STYLE
from sortie.scoring.table import GROUPS, WINNER
from store_sim.scenarios import CASES, SCENARIOS

__all__ = ["render_page", "write_page"]

GOOD, FAIR = 0.95, 0.8
OPEN_CARDS = 2
"""The first cards stand open; the others at a tap."""
_LEVELS = (("good", "●"), ("fair", "◐"), ("poor", "○"))


def write_page(
    path: Path,
    scored: Scored,
    result: Mapping[str, Any],
    *,
    jobs: int,
    results: Results,
    errors: Console,
) -> int:
    """Writes the report; returns its size in bytes. UsageError if it cannot be written."""
    store = load_store_file(scored.request.store_path)
    with errors.status("drawing what went wrong"):
        page = render_page(scored, result, store, jobs=jobs, results=results)
    data = page.encode()
    write_output("--html", path, data)
    return len(data)


def render_page(
    scored: Scored,
    result: Mapping[str, Any],
    store: StoreFile,
    *,
    jobs: int,
    results: Results,
) -> str:
    """The whole page; moments that were never drawn are drawn now."""
    cards, more = cards_of(scored, store)
    drawn, _ = illustrate(scored, cards, jobs=jobs, results=results)
    maker = CardMaker(
        scored=scored,
        names={product.gtin: product.name for product in store.products},
        currency=store.currency,
        drawn=drawn,
    )
    failures = [maker.card(card, is_open=place < OPEN_CARDS) for place, card in enumerate(cards)]
    left_out = _left_out(maker, more)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Scores, {escape(store.name)}</title><style>{STYLE}</style></head><body><main>"
        f"{_head(result, store)}{_tiles(result)}{_table(result)}"
        f"{_failures(cards, failures)}{left_out}{_not_scored(result)}{_facts(result)}"
        "</main></body></html>\n"
    )


# ---------------------------------------------------------------- the top


def _head(result: Mapping[str, Any], store: StoreFile) -> str:
    seeds = result["seeds"]
    named = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    count = len(result["cases"])
    note = ""
    if result["reserved_seeds"]:
        note = (
            "<p class='note'>Seeds 10000 to 19999 are kept for reporting: nothing may be tuned on "
            "what they show.</p>"
        )
    dials = f", with {escape(', '.join(result['dials']))}" if result["dials"] else ""
    return (
        f"<h1>How the receipts came out</h1><p class='lead'>{count} "
        f"case{'' if count == 1 else 's'} in {escape(store.name)}, {named}{dials}. An item is "
        "right when product and payer are right. Nobody reviews here: what is uncertain is not "
        f"charged. Intervals are 95 %.</p>{note}"
    )


def _tiles(result: Mapping[str, Any]) -> str:
    tiles = "".join(_tile(sensors, row) for sensors, row in result["total"].items())
    return f'<div class="tiles">{tiles}</div>'


def _tile(sensors: str, row: Mapping[str, Any]) -> str:
    low, high = row["f1_interval"]
    exact_low, exact_high = row["exact_interval"]
    waits = [row["time_to_receipt_s"][name] for name in ("p50", "p95", "p99")]
    waited = " / ".join("–" if wait is None else f"{wait:.1f}" for wait in waits)
    facts = {
        "exact receipts": f"{row['exact_share']:.1%} ({exact_low:.0%} to {exact_high:.0%})",
        "overcharged": f"{row['overcharged_share']:.1%}",
        "undercharged": f"{row['undercharged_share']:.1%}",
        "needs a person": f"{row['review_share']:.1%}",
        "right payer": f"{row['association_accuracy']:.3f}",
        "precision, recall": f"{row['precision']:.3f}, {row['recall']:.3f}",
        "time to receipt": f"<span title='p50 / p95 / p99'>{waited} s</span>",
        "items, visits": f"{row['items']}, {row['visits']}",
    }
    if row["case_f1"] is not None:
        facts["by case, winner's"] = f"{row['case_f1']:.3f}, {row['winner_case_f1']:.3f}"
    rows = "".join(f"<dt>{name}</dt><dd class='num'>{value}</dd>" for name, value in facts.items())
    return (
        f'<section class="pane tile s-{sensors}"><h3>{set_label(sensors)}</h3>'
        f'<p class="big num">{row["f1"]:.3f} <small>F1, {low:.3f} to {high:.3f}</small></p>'
        f"<dl class='small'>{rows}</dl></section>"
    )


# ---------------------------------------------------------------- the table


def _table(result: Mapping[str, Any]) -> str:
    sets = result["sensors"]
    heads = "".join(f"<th>{set_label(sensors)}</th>" for sensors in sets)
    rows = []
    for group in GROUPS:
        for name, row in result["cases"].items():
            case = CASES.get(name)
            if case is not None and case.group == group:
                rows.append(_row(name, f"{group}. {case.description}", row, sets))
    for name, row in result["cases"].items():
        if name not in CASES:
            rows.append(_row(name, SCENARIOS[name].description, row, sets))
    rows.append(_row("all cases", "", result["total"], sets, total=True))
    legend = "".join(f"<span>{set_label(sensors)}</span>" for sensors in sets)
    return (
        "<h2>Case by case</h2><div class='pane'><div class='legend'>"
        f"{legend}<span>line: 95 % interval</span><span><i></i>winner of AutoCheckout 2020</span>"
        f"<span>● from {GOOD}</span><span>◐ from {FAIR}</span><span>○ below</span></div>"
        "<table class='scores'><thead><tr><th>case</th><th>item F1</th>"
        f"{heads}<th>winner</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _row(
    name: str,
    about: str,
    sets: Mapping[str, Mapping[str, Any]],
    order: list[str],
    *,
    total: bool = False,
) -> str:
    known = {sensors: sets[sensors] for sensors in order if sensors in sets}
    winner = next((row.get("winner_f1") for row in known.values()), None)
    cells = "".join(
        f"<td data-name='{sensors}'>{_cell(known[sensors]) if sensors in known else ''}</td>"
        for sensors in order
    )
    beside = "" if winner is None else f"{winner:.2f}"
    return (
        f"<tr{' class=total' if total else ''}><th scope='row'>{escape(name)}"
        f"<span>{escape(about)}</span></th>"
        f"<td class='wide'>{score_strip(known, winner)}</td>{cells}"
        f"<td class='num' data-name='winner'>{beside}</td></tr>"
    )


def _cell(row: Mapping[str, Any]) -> str:
    """F1 and what became of the receipts; items are the n of F1."""
    return (
        f"{_score(row['f1'])}<small>{row['exact_share']:.0%} exact, n = {row['items']}</small>"
        f"<small>{row['overcharged_share']:.0%} over, {row['review_share']:.0%} review</small>"
    )


def _score(value: float) -> str:
    level, mark = _LEVELS[0 if value >= GOOD else 1 if value >= FAIR else 2]
    return f"<span class='score {level}'>{mark} {value:.3f}</span>"


# ---------------------------------------------------------------- the rest


def _failures(cards: list[Card], made: list[str]) -> str:
    if not cards:
        return "<h2>What went wrong</h2><p class='pane'>Nothing: every receipt is exact.</p>"
    count = len(cards)
    return (
        f"<h2>What went wrong</h2><p class='soft'>{count} receipt{'' if count == 1 else 's'} "
        "not exact in at least one sensor set. The ring is where the hand truly was; the dashed "
        f"line in the curves is when.</p>{''.join(made)}"
    )


def _left_out(maker: CardMaker, more: int) -> str:
    said = []
    if more:
        said.append(f"{more} more wrong receipts; score fewer cases or seeds to see them.")
    if maker.images_left_out:
        said.append(f"Pictures of {maker.images_left_out} moments, to keep the file small.")
    if not said:
        return ""
    return f"<p class='note'>Left out of this report: {escape(' '.join(said))}</p>"


def _not_scored(result: Mapping[str, Any]) -> str:
    parts = []
    if result["not_playable"]:
        rows = "".join(
            f"<li><b>{escape(row['case'])}</b>: {escape(row['reason'])}</li>"
            for row in result["not_playable"]
        )
        parts.append(
            f"<h2>Not playable in this store</h2><ul class='pane said'>{rows}</ul>"
        )  # fmt: skip
    if result["failed"]:
        rows = "".join(
            f"<li><b>{escape(row['case'])}</b>, seed {row['seed']}, {row['sensors']}: "
            f"{escape(row['reason'])} <span class='soft'>{escape(row['where'])}</span></li>"
            for row in result["failed"]
        )
        parts.append(f"<h2>Runs that failed</h2><ul class='pane said bad'>{rows}</ul>")
    return "".join(parts)


def _facts(result: Mapping[str, Any]) -> str:
    runs, cpu_s = result["runs"], result["cpu_s"]
    findings = sum(row["findings_in_the_books"] for row in result["total"].values())
    facts = {
        "runs": f"{runs['done']} of {runs['all']}",
        "CPU": f"{cpu_s['runs']:.1f} s for all runs",
        "the books": "in order" if not findings else f"{findings} findings",
        "competition": WINNER,
        **{f"weights {name}": sha256 for name, sha256 in result["models"].items()},
    }
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in facts.items()
    )
    return f"<h2>How it was measured</h2><dl class='pane facts small'>{rows}</dl>"
