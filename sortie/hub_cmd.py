"""`sortie hub`: backups of a hub's database, putting one back, whether it tells the truth, writing
anew what follows from its log, and what left the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from contracts.store_file import StoreFile
from sortie import money_cmd
from sortie.options import URL, Database, JsonFile
from sortie.output import check_output, whole_lines, write_json
from sortie.staff_cmd import register_staff

if TYPE_CHECKING:
    from hub.store.copies import Copied, Progress
    from hub.store.service import Store

__all__ = [
    "register",
    "run_backup",
    "run_epcis",
    "run_rebuild",
    "run_restore",
    "run_retain",
    "run_verify",
]

hub_app = typer.Typer(
    help="A hub's database and accounts: back up, restore, verify, rebuild, staff.",
    no_args_is_help=True,
)
money_cmd.register(hub_app)

TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    register_staff(hub_app)
    app.add_typer(hub_app, name="hub")


@hub_app.command("backup")
def backup_command(
    target: Annotated[Path, typer.Argument(help="the file to write; it must be new")],
    database: Database = URL,
) -> None:
    """Copy the database, as it is at one moment, to a file. The hub may be running."""
    run_backup(database, target, whole_lines())


@hub_app.command("restore")
def restore_command(
    source: Annotated[Path, typer.Argument(help="a backup")],
    database: Database = URL,
) -> None:
    """Fill an empty database from a backup, SQLite or PostgreSQL. Stop the hub first."""
    run_restore(source, database, whole_lines())


@hub_app.command("verify")
def verify_command(
    database: Database = URL,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="the hub's settings, if its rules are not the usual ones"),
    ] = None,
    json_file: JsonFile = None,
) -> None:
    """Check hash chains, balances, receipts and stock, and rebuild the state from its inputs.

    Exit status 1 if anything is wrong. The hub may be running.
    """
    if not run_verify(database, whole_lines(), settings=settings, json_file=json_file):
        raise typer.Exit(1)


@hub_app.command("rebuild")
def rebuild_command(
    database: Database = URL,
    settings: Annotated[
        Path | None,
        typer.Option("--settings", help="the hub's settings, if its rules are not the usual ones"),
    ] = None,
) -> None:
    """Write what is shown (visits, holds, stock, products) anew from the log. Stop the hub first.

    Nothing is written if the log itself is not in order; `sortie hub verify` says what is wrong.
    """
    run_rebuild(database, whole_lines(), settings=settings)


@hub_app.command("epcis")
def epcis_command(
    out: Annotated[Path, typer.Option("--out", help="the JSON-LD file to write")],
    database: Database = URL,
    begin: Annotated[
        datetime | None,
        typer.Option("--from", formats=TIMES, help="recorded at this time or later, UTC"),
    ] = None,
    end: Annotated[
        datetime | None, typer.Option("--to", formats=TIMES, help="recorded before this time, UTC")
    ] = None,
) -> None:
    """Write what left the store and what came back as EPCIS 2.0. The hub may be running."""
    run_epcis(database, out, whole_lines(), begin=begin, end=end)


@hub_app.command("retain")
def retain_command(
    database: Database = URL,
    settings: Annotated[
        Path | None, typer.Option("--settings", help="the hub's settings, for what is kept")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only say what is due")] = False,
) -> None:
    """Forget what is due by the settings. A running hub does so by itself: stop it first."""
    run_retain(database, whole_lines(), settings=settings, dry_run=dry_run)


def run_backup(url: str, target: Path, console: Console) -> None:
    """Writes a backup and says what is in it. StoreError as hub.store.copies."""
    from hub.store.copies import backup

    _copy(console, f"{target} written", lambda told: backup(url, target, told=told))


def run_restore(source: Path, url: str, console: Console) -> None:
    """Restores a backup and says what is in it. StoreError as hub.store.copies."""
    from hub.store.copies import restore

    _copy(console, f"{source} restored", lambda told: restore(source, url, told=told))


def run_rebuild(url: str, console: Console, *, settings: Path | None = None) -> tuple[str, ...]:
    """Rebuilds the projections and prints each that was not right. StoreError as
    hub.store.verify."""
    from hub.attribution.engine import Engine
    from hub.settings import load_settings
    from hub.store.verify import rebuild_projections

    rules = None if settings is None else load_settings(settings).rules
    with console.status("rebuilding"):
        changed = rebuild_projections(url, Engine, rules)
    for sentence in changed:
        console.print(sentence, markup=False)
    console.print(
        f"{len(changed):,} written anew" if changed else "nothing differed, nothing was written"
    )
    return changed


def run_epcis(
    url: str,
    out: Path,
    console: Console,
    *,
    begin: datetime | None = None,
    end: datetime | None = None,
) -> None:
    """Writes the EPCIS document of a database and says how many events it has. StoreError if it
    is no hub's database; times are UTC."""
    from hub.inventory.epcis import epcis_document
    from hub.replay import stored_layout
    from hub.store.copies import opened
    from hub.store.epcis import epcis_pages

    check_output("--out", out)
    with opened(url) as store:
        events = list(
            epcis_pages(store, stored_layout(store), from_s=_seconds(begin), to_s=_seconds(end))
        )
    write_json(out, epcis_document(events, created_us=time.time_ns() // 1_000))
    console.print(f"{out} written: {len(events):,} events")


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.replace(tzinfo=UTC).timestamp()


def run_verify(
    url: str, console: Console, *, settings: Path | None = None, json_file: Path | None = None
) -> bool:
    """Verifies a database, prints what was looked at and every finding; whether all is well.

    The JSON: {"counts": {name: n}, "scope": [sentence], "findings": [sentence],
    "audit": {check: [sentence]}}.
    """
    from hub.attribution.engine import Engine
    from hub.memory import settle_collector
    from hub.settings import load_settings
    from hub.store.verify import verify
    from sortie.auditing import auditing

    check_output("--json", json_file)
    rules = None if settings is None else load_settings(settings).rules
    books: dict[str, list[str]] = {}

    settle_collector()
    with console.status("verifying") as status:

        def beside(store: Store, layout: StoreFile) -> AbstractContextManager[None]:
            return auditing(store, layout, books, status.update)

        report = verify(url, Engine, rules, told=status.update, beside=beside)
    findings = [
        *report.findings,
        *(f"{name}: {row}" for name, rows in books.items() for row in rows),
    ]
    for name, count in report.counts.items():
        console.print(f"{name:<14}{count:>12,}")
    console.print(
        f"{'checks':<14}{len(books):>12,} by the auditor", highlight=False, soft_wrap=True
    )
    for sentence in report.scope:
        console.print(sentence, markup=False)
    for finding in findings:
        console.print(finding, style="red", markup=False)
    if not findings:
        console.print("all is as it should be")
    if json_file is not None:
        result: dict[str, Any] = {
            "counts": report.counts,
            "scope": list(report.scope),
            "findings": list(report.findings),
            "audit": books,
        }
        write_json(json_file, result)
    return not findings


def run_retain(url: str, console: Console, *, settings: Path | None, dry_run: bool) -> None:
    """Erases what is due, and says how much; StoreTakenError while a hub has the database."""
    from hub.attribution.engine import Engine
    from hub.retention.offline import retain_offline
    from hub.settings import load_settings
    from hub.store.copies import check_database

    known = None if settings is None else load_settings(settings)
    check_database(url)
    due = retain_offline(
        url,
        Engine,
        now_s=time.time(),
        settings=None if known is None else known.retention,
        rules=None if known is None else known.rules,
        dry_run=dry_run,
    )
    for name, count in {"visits": len(due.visit_ids), **due.counts}.items():
        console.print(f"{name:<14}{count:>12,}")
    console.print("nothing was erased: a dry run" if dry_run else "erased")


def _copy(console: Console, done: str, copy: Callable[[Progress], Copied]) -> None:
    with console.status("copying") as status:
        copied = copy(lambda table, count: status.update(f"{table}: {count:,} rows"))
    console.print(f"{done}: {sum(copied.rows.values()):,} rows")
    for what, (number, head) in (("event", copied.events), ("transaction", copied.transactions)):
        console.print(f"last {what} {number:,} {head[:16] or '-'}")
