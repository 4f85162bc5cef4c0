"""A receipt as a page: plain HTML that prints well, without a script. All text is escaped here."""

from __future__ import annotations

from html import escape

from hub.receipts.document import Receipt, ReceiptLine
from hub.receipts.words import amount, at, lines_of, rate

__all__ = ["receipt_html"]

_HEAD = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex"><title>{title}</title>
<link rel="icon" href="/phone/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/receipt-files/receipt.css"></head><body><main>
"""


def receipt_html(receipt: Receipt, *, pdf_url: str, seller: str) -> str:
    """The whole page."""
    unit = receipt.currency
    parts = [_HEAD.format(title=escape(f"Receipt {receipt.number}: {receipt.store}"))]
    seller_html = "<br>".join(escape(line) for line in lines_of(seller))
    parts.append(
        f"<header><h1>{escape(receipt.store)}</h1>"
        + (f"<address>{seller_html}</address>" if seller_html else "")
        + f'<dl><div><dt>Receipt</dt><dd id="number">{receipt.number}</dd></div>'
        f"<div><dt>Date</dt><dd>{escape(at(receipt.issued_us, receipt.time_zone))}</dd></div>"
        f"<div><dt>Visit</dt><dd>{escape(receipt.visit_id)}</dd></div></dl></header>"
    )
    if receipt.lines:
        rows = "".join(_line(line, unit) for line in receipt.lines)
        parts.append(
            '<table id="lines"><thead><tr><th scope="col">Item</th><th scope="col">Each</th>'
            f'<th scope="col">VAT</th><th scope="col">{escape(unit)}</th></tr></thead>'
            f"<tbody>{rows}</tbody></table>"
        )
    else:
        parts.append('<p class="none">Nothing taken, nothing charged.</p>')
    parts.append(_sums(receipt))
    parts.append(_vat(receipt))
    parts.append(_corrections(receipt))
    parts += [f'<p class="note">{escape(words)}</p>' for words in receipt.notes]
    parts.append(
        f'<p class="links"><a href="{escape(pdf_url)}" download="receipt-{receipt.number}.pdf">'
        "Save as PDF</a></p></main></body></html>"
    )
    return "".join(parts)


def _line(line: ReceiptLine, unit: str) -> str:
    under = " · ".join(escape(words) for words in line.under(unit))
    return (
        f"<tr><td><b>{line.quantity} ×</b> {escape(line.name)}<small>{under}</small>"
        f"</td><td>{amount(line.unit_price_minor, unit)}</td><td>{rate(line.vat_rate)}</td>"
        f"<td>{amount(line.total_minor, unit)}</td></tr>"
    )


def _sums(receipt: Receipt) -> str:
    unit = receipt.currency
    return (
        '<dl class="sums">'
        + "".join(
            f'<div><dt>{text}</dt><dd id="{name}">{escape(unit)} {amount(minor, unit)}</dd></div>'
            for name, text, minor in receipt.sums
        )
        + "</dl>"
    )


def _vat(receipt: Receipt) -> str:
    if not receipt.vat:
        return ""
    unit = receipt.currency
    rows = "".join(
        f"<tr><td>{rate(row.rate)}</td><td>{amount(row.net_minor, unit)}</td>"
        f"<td>{amount(row.vat_minor, unit)}</td><td>{amount(row.gross_minor, unit)}</td></tr>"
        for row in receipt.vat
    )
    return (
        '<table id="vat"><thead><tr><th scope="col">VAT</th><th scope="col">net</th>'
        f'<th scope="col">tax</th><th scope="col">gross</th></tr></thead><tbody>{rows}</tbody>'
        "</table>"
    )


def _corrections(receipt: Receipt) -> str:
    if not receipt.corrections:
        return ""
    items = "".join(
        f"<li>{escape(at(one.at_us, receipt.time_zone))}: "
        + ", ".join(f"{count} × {escape(name)}" for name, count in one.lines)
        + f"<b>{amount(-one.amount_minor, receipt.currency)}</b></li>"
        for one in receipt.corrections
    )
    return f'<section id="corrections"><h2>Given back</h2><ul>{items}</ul></section>'
