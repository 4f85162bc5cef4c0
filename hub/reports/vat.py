"""The VAT of a store day, month or year: what was sold and what was taken back, per rate.

    report = vat_report(transactions, period, store_id="demo", currency="EUR")
    print(vat_page(report, name="Demo"))

Read from the ledger alone: a transaction that credits revenue is a sale, one that debits it is a
refund, whatever its kind is called. Net, VAT and gross of a rate are what moved on `revenue:RATE`
and `vat:RATE`, so the totals are those of the accounts, and the reports of all days sum to the
balances. VAT is rounded per line, when it is booked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from html import escape
from typing import Any

from contracts.money import minor_places
from hub.reports.books import Booked
from hub.reports.period import Period

__all__ = [
    "Amounts",
    "RateRow",
    "VatReport",
    "amount_text",
    "rate_text",
    "row_cells",
    "vat_document",
    "vat_page",
    "vat_report",
]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Minor units; of refunds too they are positive."""

    gross_minor: int = 0
    net_minor: int = 0
    vat_minor: int = 0

    def plus(self, other: Amounts) -> Amounts:
        """The sum of both."""
        return Amounts(
            self.gross_minor + other.gross_minor,
            self.net_minor + other.net_minor,
            self.vat_minor + other.vat_minor,
        )

    def minus(self, other: Amounts) -> Amounts:
        """The difference."""
        return self.plus(Amounts(-other.gross_minor, -other.net_minor, -other.vat_minor))


@dataclass(frozen=True, slots=True)
class RateRow:
    """One VAT rate; `due` is sales less refunds."""

    rate: str
    sales: Amounts
    refunds: Amounts
    due: Amounts


@dataclass(frozen=True, slots=True)
class VatReport:
    """A period of a store. `first` and `last` number the ledger's transactions it was read from."""

    store_id: str
    currency: str
    period: str
    zone: str
    begins_us: int
    ends_us: int
    sales: int
    refunds: int
    first: int | None
    last: int | None
    rates: tuple[RateRow, ...]
    total: RateRow


def vat_report(
    transactions: Iterable[Booked],
    period: Period,
    *,
    store_id: str,
    currency: str,
    zone: str = "UTC",
) -> VatReport:
    """The report of a period; transactions outside it are passed over."""
    sold: dict[str, Amounts] = {}
    back: dict[str, Amounts] = {}
    counts = {"sales": 0, "refunds": 0}
    numbers: list[int] = []
    for item in transactions:
        taxed = item.taxed()
        if taxed is None or not period.begins_us <= item.at_us < period.ends_us:
            continue
        numbers.append(item.number)
        counts["sales" if taxed.sale else "refunds"] += 1
        sums = sold if taxed.sale else back
        for rate, (net, vat) in taxed.rates.items():
            sums[rate] = sums.get(rate, Amounts()).plus(Amounts(net + vat, net, vat))
    rates = tuple(_row(rate, sold, back) for rate in sorted({*sold, *back}, key=Decimal))
    return VatReport(
        store_id=store_id,
        currency=currency,
        period=period.name,
        zone=zone,
        begins_us=period.begins_us,
        ends_us=period.ends_us,
        sales=counts["sales"],
        refunds=counts["refunds"],
        first=min(numbers, default=None),
        last=max(numbers, default=None),
        rates=rates,
        total=_total(rates),
    )


def vat_document(report: VatReport) -> dict[str, Any]:
    """The report as JSON: {"schema", "store_id", "currency", "period", "zone", "begins_us",
    "ends_us", "sales", "refunds", "first", "last", "rates": [{"rate", "sales": {"gross_minor",
    "net_minor", "vat_minor"}, "refunds", "due"}], "total"}."""
    return {"schema": 1, **asdict(report)}


def amount_text(amount_minor: int, currency: str) -> str:
    """An amount for people, without the currency's name.

    >>> amount_text(-740, "EUR"), amount_text(740, "JPY"), amount_text(5, "KWD")
    ('-7.40', '740', '0.005')
    """
    places = minor_places(currency)
    return f"{Decimal(amount_minor).scaleb(-places):,.{places}f}"


def vat_page(report: VatReport, *, name: str) -> str:
    """The report as a page to print; no scripts, nothing loaded from elsewhere."""
    rows = "".join(_html_row(rate_text(row.rate), row, report.currency) for row in report.rates)
    if not report.rates:
        rows = '<tr><td colspan="10">Nothing was sold and nothing taken back.</td></tr>'
    read = "none" if report.first is None else f"{report.first} to {report.last}"
    total = _html_row("Total", report.total, report.currency, mark="th")
    return _PAGE.format(
        title=escape(f"VAT {report.period} · {name}"),
        name=escape(name),
        store_id=escape(report.store_id),
        period=escape(report.period),
        zone=escape(report.zone),
        currency=escape(report.currency),
        rows=rows,
        total=total,
        sales=report.sales,
        refunds=report.refunds,
        read=read,
    )


def _row(rate: str, sold: Mapping[str, Amounts], back: Mapping[str, Amounts]) -> RateRow:
    sales, refunds = sold.get(rate, Amounts()), back.get(rate, Amounts())
    return RateRow(rate, sales, refunds, sales.minus(refunds))


def _total(rows: Iterable[RateRow]) -> RateRow:
    sales = refunds = Amounts()
    for row in rows:
        sales, refunds = sales.plus(row.sales), refunds.plus(row.refunds)
    return RateRow("total", sales, refunds, sales.minus(refunds))


def rate_text(rate: str) -> str:
    """A rate for people; words stay as they are.

    >>> rate_text("0.0550"), rate_text("0.2000"), rate_text("total")
    ('5.5 %', '20 %', 'total')
    """
    if not rate.startswith(("0", "1")):
        return rate
    return f"{(Decimal(rate) * 100).normalize():f} %"


def row_cells(row: RateRow, currency: str) -> list[str]:
    """The nine amounts of a rate for people: gross, net and VAT of sales, of refunds and due."""
    return [
        amount_text(value, currency)
        for part in (row.sales, row.refunds, row.due)
        for value in (part.gross_minor, part.net_minor, part.vat_minor)
    ]


def _html_row(label: str, row: RateRow, currency: str, *, mark: str = "td") -> str:
    cells = "".join(f"<{mark}>{cell}</{mark}>" for cell in row_cells(row, currency))
    return f"<tr><th>{escape(label)}</th>{cells}</tr>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
body{{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;
color:#111}}
h1{{font-size:1.4rem;margin:0}} p{{margin:.25rem 0}} .scroll{{overflow-x:auto}}
table{{border-collapse:collapse;width:100%;margin:1.5rem 0}}
td,th{{padding:.35rem .6rem;text-align:right;border-bottom:1px solid #ccc;
font-variant-numeric:tabular-nums;font-weight:400}}
tbody th,tfoot th:first-child,thead tr:first-child th:first-child{{text-align:left}}
thead tr:first-child th[colspan]{{text-align:center}} thead th,tfoot th{{font-weight:600}}
tfoot th{{border-top:2px solid #111;border-bottom:0}}
@media print{{body{{margin:0;max-width:none;font-size:11pt}} .scroll{{overflow:visible}}}}
</style></head><body>
<h1>VAT {period}</h1>
<p>{name} ({store_id}). Amounts in {currency}, days in {zone}.</p>
<div class="scroll"><table><thead>
<tr><th rowspan="2">Rate</th><th colspan="3">Sales</th><th colspan="3">Refunds</th>
<th colspan="3">Due</th></tr>
<tr><th>gross</th><th>net</th><th>VAT</th><th>gross</th><th>net</th><th>VAT</th>
<th>gross</th><th>net</th><th>VAT</th></tr></thead>
<tbody>{rows}</tbody><tfoot>{total}</tfoot></table></div>
<p>Sales: {sales}, refunds: {refunds}. Read from the ledger's transactions: {read}.</p>
</body></html>
"""
