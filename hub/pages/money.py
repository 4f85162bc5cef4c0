"""The money page: VAT of a day, whether the gateway agrees, what waits, the fiscal journal.

Plain HTML from the hub's reports, asked for when somebody opens it; it can be printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from hub.pages.feed import HubFeed
from hub.pages.owing import money_that_waits
from hub.pages.words import DESK_PAGES
from hub.reports.vat import amount_text, rate_text

__all__ = ["add_money", "money_page"]

_PERIOD = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")
WAITING = ("/debts", "/chargebacks", "/refunds/waiting")
PARTS = ("sales", "refunds", "due")
AMOUNTS = ("gross_minor", "net_minor", "vat_minor")
Answer = tuple[Mapping[str, Any] | None, str]
"""What the hub said, or None and its words why not."""


def add_money(
    app: Starlette,
    feed: HubFeed,
    today: Callable[[], str],
    token_of: Callable[[Request], str] = lambda _request: "",
) -> None:
    """Adds /money; `today` is the day shown first, as YYYY-MM-DD. `token_of` gives the session of
    who asks, as whom the hub is asked."""

    async def page(request: Request) -> Response:
        wanted = request.query_params.get("day", "")
        day = wanted if _PERIOD.fullmatch(wanted) else today()
        token = token_of(request)
        text = money_page(
            day,
            await feed.report("/reports/vat", token=token, day=day),
            await feed.report("/reports/reconciliation", token=token),
            await feed.report("/fiscal", token=token),
            [await feed.report(path, token=token) for path in WAITING],
        )
        return HTMLResponse(text, headers={"Cache-Control": "no-store"})

    app.router.add_route("/money", page, include_in_schema=False)


def money_page(
    day: str, vat: Answer, agreed: Answer, fiscal: Answer, waiting: Sequence[Answer]
) -> str:
    """The page; what the hub did not answer is said in its place. `waiting` are debts, disputes
    and refunds."""
    return _PAGE.format(
        day=escape(day),
        links="".join(
            f'<a class="button quiet{" here" if path == "/money" else ""}" href="{path}">{name}</a>'
            for name, path in DESK_PAGES
        ),
        vat=_or_fault(vat, _vat),
        agreed=_or_fault(agreed, _agreed),
        fiscal=_or_fault(fiscal, _fiscal),
        waiting=_waiting(waiting),
    )


def _waiting(lists: Sequence[Answer]) -> str:
    pages = [page for page, _why in lists if page is not None]
    if len(pages) < len(lists):
        why = next(why for page, why in lists if page is None)
        return f'<p role="alert">{escape(why)}</p>'
    return money_that_waits(*pages)


def _or_fault(answer: Answer, show: Callable[[Mapping[str, Any]], str]) -> str:
    found, why = answer
    return f'<p role="alert">{escape(why)}</p>' if found is None else show(found)


def _vat(report: Mapping[str, Any]) -> str:
    currency = str(report["currency"])
    rows = "".join(_vat_row(row, currency) for row in (*report["rates"], report["total"]))
    return (
        "<table><thead><tr><th>rate</th>"
        + "".join(f"<th>{part} {word}</th>" for part in PARTS for word in ("gross", "net", "VAT"))
        + f"</tr></thead><tbody>{rows}</tbody></table>"
        f'<p class="quiet">Sales: {report["sales"]}, refunds: {report["refunds"]}; in '
        f"{escape(currency)}; days in {escape(str(report['zone']))}.</p>"
    )


def _vat_row(row: Mapping[str, Any], currency: str) -> str:
    cells = "".join(
        f"<td>{amount_text(row[part][name], currency)}</td>" for part in PARTS for name in AMOUNTS
    )
    return f"<tr><th>{escape(rate_text(str(row['rate'])))}</th>{cells}</tr>"


def _agreed(report: Mapping[str, Any]) -> str:
    currency = str(report["currency"])
    words = [
        f"{report['compared']} holds compared; the gateway owes "
        f"{amount_text(report['clearing_minor'], currency)} {currency} by the books."
    ]
    if report["on_its_way"]:
        words.append(f"{len(report['on_its_way'])} questions are on their way.")
    if not report["differences"]:
        words.append("Books and gateway agree.")
        return f"<p>{escape(' '.join(words))}</p>"
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(str(row[name]))}</td>"
            for name in ("visit_id", "what", "believed", "gateway", "fix")
        )
        + "</tr>"
        for row in report["differences"]
    )
    return (
        f'<p>{escape(" ".join(words))}</p><table class="words"><thead><tr><th>visit</th>'
        "<th>what</th><th>books</th><th>gateway</th><th>what to do</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _fiscal(status: Mapping[str, Any]) -> str:
    if not status["entries"]:
        return '<p class="quiet">No fiscal journal is kept; docs/payments.md says how.</p>'
    fault = status.get("fault")
    said = f'<p role="alert">It is behind: {escape(str(fault))}</p>' if fault else ""
    total = amount_text(status["perpetual_sales_minor"], str(status["currency"]))
    return said + (
        f"<p>{status['entries']} entries, open day {escape(str(status['day']))}, perpetual total "
        f"{total} {escape(str(status['currency']))}. Public key "
        f"<code>{escape(str(status['public_key']))}</code></p>"
    )


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Sortie: money {day}</title>
<link rel="icon" href="/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/assets/pages.css"><style>
main{{max-width:72rem;margin:0 auto;padding:1rem}} section{{margin:0 0 .8rem;overflow-x:auto}}
table{{border-collapse:collapse;width:100%}} td,th{{padding:.3rem .6rem;text-align:right;
border-bottom:1px solid var(--line);font-variant-numeric:tabular-nums;font-weight:400}}
th:first-child,.words td,.words th{{text-align:left}} tbody tr:last-child th{{font-weight:600}}
.words td:last-child{{min-width:14rem}} code{{overflow-wrap:anywhere}}
@media print{{form,nav{{display:none}}}} form{{margin:0 0 1rem}} input{{font:inherit;padding:.45rem
.7rem;border:1.5px solid var(--line);border-radius:.8rem;background:var(--card);color:inherit}}
section{{background:var(--card);border:1px solid var(--line);border-radius:1.1rem;
padding:.9rem 1.1rem}} section h2{{margin:0 0 .6rem;font-size:1.15rem}}
</style></head><body class="paper">
<header class="top"><div><h1><img src="/assets/icon.svg" alt="" width="30" height="30">Sortie
<small>money</small></h1></div><nav>{links}</nav></header><main>
<form method="get" action="/money"><label for="day">Day, month or year</label>
<input id="day" name="day" value="{day}" pattern="[0-9]{{4}}(-[0-9]{{2}}(-[0-9]{{2}})?)?" required>
<button class="button" type="submit">Show</button></form>
<section><h2>VAT {day}</h2>{vat}</section>
<section><h2>Books and gateway</h2>{agreed}</section>
<section><h2>Money that waits</h2>{waiting}</section>
<section><h2>Fiscal journal</h2>{fiscal}</section>
</main></body></html>"""
