"""A receipt as PDF. Names may be of any script, and nothing of them is lost.

The embedded font has Latin, Greek, Cyrillic and signs of currencies. For other scripts a store
names fonts of its own (`receipt_fonts`); a character that no font has is written as its code
point, `[U+4E2D]`, and each line carries its GTIN, so that the article is named in any case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hub.errors import SettingsError
from hub.receipts.document import Receipt, ReceiptLine
from hub.receipts.words import amount, at, lines_of, rate

if TYPE_CHECKING:
    from fpdf import FPDF

__all__ = ["FONT_FILE", "ReceiptPrinter"]

FONT_FILE = Path(__file__).parent / "fonts" / "receipt.ttf"
FONT_MAGIC = (b"\x00\x01\x00\x00", b"OTTO", b"true", b"ttcf", b"wOFF", b"wOF2")
WIDTH_MM = 170.0
COLUMNS_MM = (98.0, 24.0, 20.0, 28.0)
VAT_COLUMNS_MM = (40.0, 40.0, 40.0, 50.0)
LINE_MM = 5.2


class ReceiptPrinter:
    """Makes PDFs with the same fonts again and again. SettingsError if a font cannot be used.

    What draws them is only loaded for the first: it is a quarter of what a hub's start takes.
    """

    def __init__(self, *, seller: str, fonts: Sequence[Path] = ()) -> None:
        self._seller = lines_of(seller)
        self._fonts = tuple(fonts)
        if self._fonts:
            # A font that cannot be used is told at the start.
            with self._begun():
                pass

    def render(self, receipt: Receipt) -> bytes:
        """The document."""
        with self._begun() as pdf:
            self._write(pdf, receipt)
            return bytes(pdf.output())

    def _write(self, pdf: FPDF, receipt: Receipt) -> None:
        unit = receipt.currency
        pdf.set_title(f"Receipt {receipt.number}: {receipt.store}")
        pdf.set_creation_date(datetime.fromtimestamp(receipt.issued_us / 1e6, UTC))
        pdf.set_font("receipt", size=17)
        self._say(pdf, receipt.store, height=8.0)
        pdf.set_font("receipt", size=10)
        for text in self._seller:
            self._say(pdf, text)
        pdf.ln(3)
        self._say(pdf, f"Receipt {receipt.number}")
        self._say(pdf, at(receipt.issued_us, receipt.time_zone))
        self._say(pdf, f"Visit {receipt.visit_id}")
        pdf.ln(3)
        if receipt.lines:
            self._row(pdf, ("Item", "Each", "VAT", unit), COLUMNS_MM, rule=True)
        else:
            self._say(pdf, "Nothing taken, nothing charged.")
        for line in receipt.lines:
            self._line(pdf, line, unit)
        pdf.ln(3)
        self._sums(pdf, receipt)
        self._vat(pdf, receipt)
        self._corrections(pdf, receipt)
        for words in receipt.notes:
            self._say(pdf, words)

    def spelled(self, text: str) -> str:
        """Text with what no font has written as code points."""
        return "".join(
            letter if ord(letter) in self._known or letter == " " else f"[U+{ord(letter):04X}]"
            for letter in " ".join(text.split())
        )

    @cached_property
    def _known(self) -> frozenset[int]:
        with self._begun() as pdf:
            return frozenset().union(
                *(frozenset(font.cmap) for font in pdf.fonts.values() if hasattr(font, "cmap"))
            )

    @contextmanager
    def _begun(self) -> Iterator[FPDF]:
        """An empty document with its fonts, whose files are closed in the end."""
        from fpdf import FPDF

        pdf = FPDF(format="A4")
        try:
            self._add_fonts(pdf)
            pdf.add_page()
            yield pdf
        finally:
            for font in pdf.fonts.values():
                if hasattr(font, "ttfont"):
                    font.ttfont.close()

    def _add_fonts(self, pdf: FPDF) -> None:
        from fontTools.ttLib import TTLibError
        from fpdf.errors import FPDFException

        pdf.set_margins(20, 18, 20)
        pdf.set_auto_page_break(True, margin=18)
        pdf.add_font("receipt", fname=str(FONT_FILE))
        for number, path in enumerate(self._fonts):
            try:
                with path.open("rb") as file:
                    if file.read(4) not in FONT_MAGIC:
                        raise ValueError("not a font")
                pdf.add_font(f"more{number}", fname=str(path))
            except (FPDFException, TTLibError, OSError, ValueError, KeyError) as error:
                raise SettingsError(
                    f"{path}: expected a TrueType or OpenType font for receipts ({error}); see "
                    "SORTIE_HUB_RECEIPT_FONTS"
                ) from error
        if self._fonts:
            names = [f"more{number}" for number in range(len(self._fonts))]
            pdf.set_fallback_fonts(names, exact_match=False)

    def _say(self, pdf: FPDF, text: str, *, height: float = LINE_MM) -> None:
        pdf.multi_cell(
            WIDTH_MM, height, self.spelled(text), align="L", new_x="LMARGIN", new_y="NEXT"
        )

    def _row(
        self, pdf: FPDF, cells: Sequence[str], widths: Sequence[float], *, rule: bool = False
    ) -> None:
        """A row whose first cell may take several lines; the others stand on its first."""
        if pdf.will_page_break(3 * LINE_MM):
            pdf.add_page()
        top = pdf.get_y()
        left = pdf.l_margin + widths[0]
        for text, width in zip(cells[1:], widths[1:], strict=True):
            pdf.set_xy(left, top)
            pdf.cell(width, LINE_MM, self.spelled(text), align="R")
            left += width
        pdf.set_xy(pdf.l_margin, top)
        pdf.multi_cell(
            widths[0], LINE_MM, self.spelled(cells[0]), align="L",
            new_x="LMARGIN", new_y="NEXT",
        )  # fmt: skip
        if rule:
            pdf.line(pdf.l_margin, pdf.get_y(), pdf.l_margin + sum(widths), pdf.get_y())

    def _line(self, pdf: FPDF, line: ReceiptLine, unit: str) -> None:
        cells = (
            f"{line.quantity} × {line.name}",
            amount(line.unit_price_minor, unit),
            rate(line.vat_rate),
            amount(line.total_minor, unit),
        )
        self._row(pdf, cells, COLUMNS_MM)
        pdf.set_font("receipt", size=8)
        self._say(pdf, " · ".join(line.under(unit)), height=4.0)
        pdf.set_font("receipt", size=10)

    def _sums(self, pdf: FPDF, receipt: Receipt) -> None:
        unit = receipt.currency
        for number, (_name, text, minor) in enumerate(receipt.sums):
            pdf.set_font("receipt", size=13 if number == 0 else 10)
            self._row(pdf, (text, f"{unit} {amount(minor, unit)}"), (100.0, 70.0))
        pdf.set_font("receipt", size=10)
        pdf.ln(3)

    def _vat(self, pdf: FPDF, receipt: Receipt) -> None:
        unit = receipt.currency
        if receipt.vat:
            self._row(pdf, ("VAT", "net", "tax", "gross"), VAT_COLUMNS_MM, rule=True)
        for row in receipt.vat:
            money = (row.net_minor, row.vat_minor, row.gross_minor)
            cells = (rate(row.rate), *(amount(minor, unit) for minor in money))
            self._row(pdf, cells, VAT_COLUMNS_MM)
        pdf.ln(3)

    def _corrections(self, pdf: FPDF, receipt: Receipt) -> None:
        for one in receipt.corrections:
            what = ", ".join(f"{count} × {name}" for name, count in one.lines)
            text = f"Given back {at(one.at_us, receipt.time_zone)}: {what}"
            self._row(pdf, (text, amount(-one.amount_minor, receipt.currency)), (130.0, 40.0))
        if receipt.corrections:
            pdf.ln(3)
