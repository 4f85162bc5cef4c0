"""`sortie devices`: credentials of a store's nodes and hub at its broker, made and withdrawn."""

from __future__ import annotations

import getpass
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.store_file import load_store_file
from sortie.errors import UsageError
from sortie.output import whole_lines

if TYPE_CHECKING:
    from sortie.device_book import DeviceBook

__all__ = ["register"]

devices_app = typer.Typer(
    help="Make and withdraw credentials of nodes and hub at the broker.", no_args_is_help=True
)
DIR = Path("broker")
Name = Annotated[str, typer.Argument(help="a node of the store file, or hub")]
Folder = Annotated[Path, typer.Option("--dir", help="the broker's folder")]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="write the settings there (0600) instead of printing them"),
]
Store = Annotated[Path | None, typer.Option("--store", help="the store file, at the first time")]
Hosts = Annotated[
    list[str] | None,
    typer.Option("--host", help="name or address of the broker, at the first time; repeatable"),
]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(devices_app, name="devices")


@devices_app.command("add")
def add_command(
    name: Name,
    folder: Folder = DIR,
    store: Store = None,
    hosts: Hosts = None,
    port: Annotated[int, typer.Option(help="the broker's TLS port, at the first time")] = 8883,
    user: Annotated[
        str, typer.Option(help="who runs the broker, at the first time; none: you")
    ] = "",
    certificates: Annotated[
        bool,
        typer.Option(
            "--client-certificates", help="clients need one beside their password (first time)"
        ),
    ] = False,
    out: Out = None,
) -> None:
    """Let a node, or the hub, in. Its settings are told once: the password is not kept."""
    from sortie.device_book import BOOK, DeviceBook

    now = datetime.now(UTC)
    if (folder / BOOK).exists():
        book = DeviceBook.load(folder, now)
    elif store is None:
        raise UsageError(f"expected --store FILE: {folder} is no broker's folder yet")
    else:
        book = DeviceBook.begin(
            folder,
            now,
            store_id=load_store_file(store).store_id,
            hosts=tuple(hosts or ["localhost", "127.0.0.1"]),
            port=port,
            user=user or getpass.getuser(),
            certificates=certificates,
        )
    if store is not None:
        _check_node(name, store)
    _done(book, book.settings(name, book.add(name)), out)


@devices_app.command("rotate")
def rotate_command(name: Name, folder: Folder = DIR, out: Out = None) -> None:
    """Give new credentials; the old ones end at once. Put the new settings there and restart."""
    book = _load(folder)
    _done(book, book.settings(name, book.rotate(name)), out)


@devices_app.command("revoke")
def revoke_command(name: Name, folder: Folder = DIR) -> None:
    """Shut a node out; what it still sends is refused, and its connection ends."""
    book = _load(folder)
    book.revoke(name)
    _done(book, None, None)
    _say(f"{name} is revoked; tell the hub too: POST /api/v1/staff/devices/{name}/revoke")


def _leaf_days() -> int:
    from sortie.certificates import LEAF_DAYS

    return LEAF_DAYS


@devices_app.command("certificate")
def certificate_command(
    folder: Folder = DIR,
    *,
    days: Annotated[
        int,
        typer.Option(
            min=1,
            max=3650,
            default_factory=_leaf_days,
            show_default="as the first one",
            help="good for so long",
        ),
    ],
) -> None:
    """Give the broker a new certificate by the same authority."""
    from sortie.certificates import expires

    book = _load(folder)
    book.renew_server(days)
    _done(book, None, None)
    _say(f"the broker's certificate is good until {expires(folder / 'server.crt'):%Y-%m-%d}")


@devices_app.command("list")
def list_command(folder: Folder = DIR) -> None:
    """Show who has credentials, and until when certificates are good."""
    from sortie.certificates import expires

    book = _load(folder)
    table = Table(title=f"{book.store_id}, port {book.port}", title_justify="left")
    for column in ("device", "state", "made", "changed", "certificate"):
        table.add_column(column)
    for name, row in sorted(book.devices.items()):
        path = folder / "clients" / f"{name}.crt"
        until = f"{expires(path):%Y-%m-%d}" if path.exists() else "-"
        table.add_row(name, row["state"], row["made"], row["changed"], until)
    console = whole_lines()
    console.print(table)
    for what in ("ca", "server"):
        console.print(f"{what} certificate until {expires(folder / f'{what}.crt'):%Y-%m-%d}")
    for warning in book.ending():
        _say(warning)


def _load(folder: Path) -> DeviceBook:
    from sortie.device_book import DeviceBook

    return DeviceBook.load(folder, datetime.now(UTC))


def _done(book: DeviceBook, settings: str | None, out: Path | None) -> None:
    from sortie.certificates import write_private

    book.write()
    if settings is not None and out is not None:
        write_private(out, settings.encode())
        _say(f"{out} written; it holds a password")
    elif settings is not None:
        sys.stdout.write(settings)
    if not book.signal():
        _say(f"no broker runs; start it with: mosquitto -c {book.folder / 'mosquitto.conf'}")


def _check_node(name: str, store: Path) -> None:
    from sortie.broker import HUB_USER

    nodes = [node.node_id for node in load_store_file(store).nodes]
    if name != HUB_USER and name not in nodes:
        raise UsageError(f"expected a node of {store} ({', '.join(nodes)}) or hub, got {name}")


def _say(words: str) -> None:
    """Beside the settings, which alone go to standard output."""
    whole_lines(stderr=True).print(words, markup=False)
