"""`sortie hub vat|reconcile|fiscal`: what the books come to, for the tax office and the bank."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from sortie.errors import UsageError
from sortie.options import URL, Database, JsonFile
from sortie.output import check_output, whole_lines, write_json, write_output

if TYPE_CHECKING:
    from hub.reports.reconcile import Reconciliation
    from hub.reports.vat import VatReport
    from hub.wallet.gateway import PaymentGateway

__all__ = ["register", "run_fiscal", "run_reconcile", "run_vat"]

KeyFile = Annotated[
    Path,
    typer.Option("--key", envvar="SORTIE_HUB_FISCAL_KEY_FILE", help="the journal's key file"),
]
NO_KEY = Path("fiscal.key")

fiscal_app = typer.Typer(
    help="Keep, archive and verify the fiscal journal (France, article 286).", no_args_is_help=True
)


def register(hub_app: typer.Typer) -> None:
    """Adds the commands under `sortie hub`."""
    hub_app.command("vat")(vat_command)
    hub_app.command("reconcile")(reconcile_command)
    hub_app.add_typer(fiscal_app, name="fiscal")


def vat_command(
    day: Annotated[
        str, typer.Option("--day", help="a store day (2026-03-31), a month (2026-03) or a year")
    ],
    database: Database = URL,
    json_file: JsonFile = None,
    html_file: Annotated[Path | None, typer.Option("--html", help="write a page to print")] = None,
) -> None:
    """Print what was sold and taken back, per VAT rate. The hub may be running."""
    run_vat(database, day, whole_lines(), json_file=json_file, html_file=html_file)


def reconcile_command(
    database: Database = URL,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="the hub's settings; they name the gateway and its keys"),
    ] = None,
    gateway_file: Annotated[
        Path | None,
        typer.Option("--gateway-file", help="books of the in-house gateway, without settings"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Compare every hold with what the payment gateway says. The hub may be running.

    The gateway is the one of the settings (or SORTIE_HUB_*). Exit status 1 on differences.
    """
    if not run_reconcile(
        database, whole_lines(), settings=settings, gateway_file=gateway_file, json_file=json_file
    ):
        raise typer.Exit(1)


@fiscal_app.command("init")
def init_command(
    key: Annotated[Path, typer.Argument(help="the key file to write; it must be new")],
) -> None:
    """Make a key for the journal. Keep a copy in a safe: nobody else can sign with it."""
    from hub.fiscal.chain_of_keys import fingerprint
    from hub.fiscal.keys import make_key

    made = make_key(key)
    console = whole_lines()
    console.print(f"{key} written, readable by you alone")
    console.print(f"fingerprint {fingerprint(made.public_key)}")
    console.print(f"public key {made.public_key}")


@fiscal_app.command("change-key")
def change_key_command(
    new: Annotated[Path, typer.Argument(help="the new key file; it is made if it is not there")],
    key: KeyFile = NO_KEY,
    database: Database = URL,
    reason: Annotated[str, typer.Option(help="why; it stands in the journal")] = "",
) -> None:
    """Hand the journal over to another key: the old one signs which key signs from then on.

    Stop the hub first, or restart it right after with the new file; safe to repeat.
    """
    run_change_key(database, key, new, reason, whole_lines())


@fiscal_app.command("run")
def run_command(key: KeyFile = NO_KEY, database: Database = URL) -> None:
    """Bring the journal up to date: entries and closings that are missing. Safe to repeat."""
    run_fiscal(database, key, whole_lines())


@fiscal_app.command("archive")
def archive_command(
    target: Annotated[Path, typer.Argument(help="the ZIP file to write; it must be new")],
    key: KeyFile = NO_KEY,
    database: Database = URL,
    period: Annotated[str, typer.Option(help="a year, a month or a day; all without it")] = "",
) -> None:
    """Write an archive of the journal that anybody can verify."""
    from hub.fiscal.archive import write_archive
    from hub.fiscal.france import France
    from hub.fiscal.journal import FiscalJournal
    from hub.fiscal.keys import load_key
    from hub.replay import stored_layout
    from hub.store.copies import opened

    signer = load_key(key)
    with opened(database) as store:
        layout, profile = stored_layout(store), France()
        journal = FiscalJournal(store, layout, signer, profile)
        made = write_archive(store, layout, signer, profile, target, period=period)
        journal.note(
            f"technical:archived:{made.period}:{made.last}",
            "archived",
            round(time.time() * 1e6),
            period=made.period,
            first=made.first,
            last=made.last,
            sha256=made.sha256,
        )
    console = whole_lines()
    console.print(f"{target} written: entries {made.first} to {made.last}")
    console.print(f"sha256 {made.sha256}")


@fiscal_app.command("verify")
def verify_command(
    archive: Annotated[Path, typer.Argument(help="an archive")],
    public_key: Annotated[
        str | None,
        typer.Option("--public-key", help="the key you know from elsewhere, 64 hex digits"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Check an archive with nothing but itself. Exit status 1 if anything is wrong."""
    from hub.fiscal.archive import verify_archive
    from hub.fiscal.chain_of_keys import fingerprint

    check_output("--json", json_file)
    report = verify_archive(archive, public_key=public_key)
    console = whole_lines()
    manifest = report.manifest
    console.print(
        f"{manifest.get('name')} ({manifest.get('store_id')}), {manifest.get('period')}: "
        f"{report.entries} entries",
        markup=False,
    )
    console.print(f"public key {manifest.get('public_key')}", markup=False)
    console.print(f"fingerprint {fingerprint(str(manifest.get('public_key')))}", markup=False)
    _tell(console, report.findings, json_file, {"manifest": manifest, "entries": report.entries})


@fiscal_app.command("check")
def check_command(database: Database = URL, json_file: JsonFile = None) -> None:
    """Check the stored journal and the ledger behind it. Exit status 1 if anything is wrong."""
    from hub.fiscal.journal import FINDINGS_MAX, check_journal, entries_of
    from hub.store.copies import opened

    check_output("--json", json_file)
    with opened(database) as store:
        entries = sum(entry.number for entry in entries_of(store, last=True))
        findings = tuple(check_journal(store))[:FINDINGS_MAX]
    console = whole_lines()
    console.print(f"{entries} entries")
    _tell(console, findings, json_file, {"entries": entries})


def run_vat(
    url: str,
    day: str,
    console: Console,
    *,
    json_file: Path | None = None,
    html_file: Path | None = None,
) -> None:
    """Prints and writes the VAT of a period. StoreError, RejectedError."""
    from hub.replay import stored_layout
    from hub.reports.service import vat_of
    from hub.reports.vat import vat_document, vat_page
    from hub.store.copies import opened

    check_output("--json", json_file)
    check_output("--html", html_file)
    with opened(url) as store:
        layout = stored_layout(store)
        report = vat_of(store, layout, day)
    _print_vat(report, console)
    if json_file is not None:
        write_json(json_file, vat_document(report))
    if html_file is not None:
        write_output("--html", html_file, vat_page(report, name=layout.name))


def run_reconcile(
    url: str,
    console: Console,
    *,
    settings: Path | None = None,
    gateway_file: Path | None = None,
    json_file: Path | None = None,
) -> bool:
    """Compares books and gateway; whether they agree. StoreError, SettingsError, Gateway…Error."""
    from hub.replay import stored_layout
    from hub.reports.reconcile import reconciliation_document
    from hub.reports.service import books_of, compare
    from hub.store.copies import opened

    check_output("--json", json_file)
    with opened(url) as store, _gateway(url, settings, gateway_file) as gateway:
        report = compare(lambda: books_of(store), gateway, stored_layout(store).currency)
    _print_reconciliation(report, console)
    if json_file is not None:
        write_json(json_file, reconciliation_document(report))
    return not report.differences


def run_fiscal(url: str, key: Path, console: Console) -> None:
    """Brings the fiscal journal up to date. FiscalError, StoreError."""
    from hub.fiscal.france import France
    from hub.fiscal.journal import FiscalJournal
    from hub.fiscal.keys import load_key
    from hub.replay import stored_layout
    from hub.store.copies import opened

    signer = load_key(key)
    with opened(url) as store:
        made = FiscalJournal(store, stored_layout(store), signer, France()).catch_up(
            round(time.time() * 1e6)
        )
    console.print(f"{made} new entries")


def run_change_key(url: str, key: Path, new: Path, reason: str, console: Console) -> None:
    """Hands the fiscal journal over to another key. FiscalError, StoreError."""
    from hub.fiscal.chain_of_keys import fingerprint
    from hub.fiscal.france import France
    from hub.fiscal.journal import FiscalJournal, keys_of
    from hub.fiscal.keys import load_key, make_key
    from hub.replay import stored_layout
    from hub.store.copies import opened

    # A file that is there was made by a try that was cut off, or is the key for good already.
    after = load_key(new) if new.exists() else None
    with opened(url) as store:
        layout, now_us = stored_layout(store), round(time.time() * 1e6)
        if after is not None and keys_of(store).key == after.public_key:
            console.print("the journal has this key already")
            return
        journal = FiscalJournal(store, layout, load_key(key), France())
        journal.may_change()
        after = after or make_key(new)
        journal.change_key(after, now_us, reason=reason)
    console.print(f"{new} signs from now on; give it to the hub (SORTIE_HUB_FISCAL_KEY_FILE)")
    console.print("keep the old file: nothing is signed with it any more, and it proves the past")
    console.print(f"fingerprint {fingerprint(after.public_key)}")
    console.print(f"public key {after.public_key}")


@contextmanager
def _gateway(
    url: str, settings: Path | None, gateway_file: Path | None
) -> Iterator[PaymentGateway]:
    """The gateway of the settings, or the in-house one's books in a file."""
    from contracts.store_file import load_store_file
    from hub.settings import load_settings
    from hub.wallet.fake import FakeGateway
    from hub.wallet.opening import open_gateway

    if gateway_file is None and (settings is not None or "SORTIE_HUB_STORE_FILE" in os.environ):
        loaded = load_settings(settings).model_copy(update={"database_url": url})
        if loaded.gateway == "fake":
            gateway_file = Path(loaded.gateway_file)
        else:
            remote = open_gateway(loaded, load_store_file(loaded.store_file))
            try:
                yield remote
            finally:
                remote.close()
            return
    path = gateway_file or Path("gateway.sqlite")
    if not path.is_file():
        raise UsageError(
            f"expected the gateway's books at {path}, there are none; give --settings or "
            "--gateway-file"
        )
    fake = FakeGateway(str(path))
    try:
        yield fake
    finally:
        fake.close()


def _print_vat(report: VatReport, console: Console) -> None:
    from hub.reports.vat import row_cells

    table = Table(title=f"VAT {report.period} ({report.currency})", title_justify="left")
    for name in ("rate", "gross", "net", "VAT", "refunds", "net", "VAT", "due", "net", "VAT"):
        table.add_column(name, justify="left" if name == "rate" else "right")
    for row in (*report.rates, report.total):
        table.add_row(row.rate, *row_cells(row, report.currency))
    console.print(table)
    console.print(f"{report.sales} sales, {report.refunds} refunds; days in {report.zone}")


def _print_reconciliation(report: Reconciliation, console: Console) -> None:
    from hub.reports.vat import amount_text

    for name, amount in (
        ("clearing", report.clearing_minor),
        ("captured", report.captured_minor),
        ("refunded", report.refunded_minor),
        ("on hold", report.held_minor),
        ("at banks", report.disputed_minor),
        ("their fees", report.dispute_fees_minor),
    ):
        console.print(f"{name:<12}{amount_text(amount, report.currency):>14} {report.currency}")
    console.print(f"{'compared':<12}{report.compared:>14,} holds")
    if not report.listed:
        console.print("the gateway cannot list its holds: only the totals were compared")
    for belief in report.on_its_way:
        what = ", ".join(belief.waiting) or "it moved while the gateway was read"
        console.print(
            f"on its way: visit {belief.visit_id or belief.hold_key}: {what}", markup=False
        )
    for row in report.differences:
        told = (
            f"visit {row.visit_id or row.hold_key or '-'}: {row.what}: the books say "
            f"{row.believed}, the gateway {row.gateway}; {row.fix}"
        )
        console.print(told, style="red", markup=False)
    if not report.differences:
        console.print("books and gateway agree")


def _tell(
    console: Console,
    findings: tuple[str, ...],
    json_file: Path | None,
    document: dict[str, Any],
) -> None:
    """Prints findings, writes them, and ends with status 1 if there are any."""
    for finding in findings:
        console.print(finding, style="red", markup=False)
    if not findings:
        console.print("all is as it should be")
    if json_file is not None:
        write_json(json_file, {**document, "findings": list(findings)})
    if findings:
        raise typer.Exit(1)
