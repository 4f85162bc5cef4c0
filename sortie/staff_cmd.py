"""`sortie hub staff`: who may sign in at the hub, from the machine it runs on; and its document.

The commands work on the hub's database, while it runs or not, and are written into its audit log
as done from the command line.
"""

from __future__ import annotations

import getpass
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from sortie.errors import UsageError
from sortie.options import URL, Database
from sortie.output import check_output, whole_lines, write_output

if TYPE_CHECKING:
    from hub.accounts.model import Role
    from hub.accounts.service import Accounts

__all__ = ["register_staff"]

staff_app = typer.Typer(help="Accounts of staff.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="the account's name")]
RoleName = Annotated[str, typer.Argument(help="viewer, clerk, manager or admin")]
WHO = "command line"


def register_staff(hub_app: typer.Typer) -> None:
    """Adds the commands below `sortie hub`."""
    hub_app.add_typer(staff_app, name="staff")
    hub_app.command("openapi")(openapi_command)


@staff_app.command("add")
def add_command(
    name: Name,
    role: Annotated[str, typer.Option("--role", help="viewer, clerk, manager or admin")] = "clerk",
    database: Database = URL,
    ask: Annotated[
        bool, typer.Option("--ask", help="ask for the password instead of making one")
    ] = False,
) -> None:
    """Add somebody. The password is shown once, and changed at the first sign-in."""
    from hub.accounts.codes import first_password

    password = _asked() if ask else first_password()
    with _accounts(database) as accounts:
        accounts.add(name, _role(role), password, time.time(), own=ask)
        _audit(accounts, "staff add", f"{name} {role}")
    _say(f"{name} may sign in as {role}")
    if not ask:
        _say(f"password for the first sign-in, shown only now: {password}")


@staff_app.command("list")
def list_command(database: Database = URL) -> None:
    """Everybody with an account."""
    table = Table("name", "role", "second factor", "state", "last sign-in")
    with _accounts(database) as accounts:
        for row in accounts.store.accounts():
            state = "closed" if row.disabled else "new password due" if row.must_change else "open"
            factor = "yes" if row.totp_confirmed else "no"
            table.add_row(row.name, row.role, factor, state, _when(row.last_login_us))
    Console().print(table)


@staff_app.command("role")
def role_command(name: Name, role: RoleName, database: Database = URL) -> None:
    """Give somebody another role; their sessions are ended."""
    with _accounts(database) as accounts:
        accounts.change_role(name, _role(role))
        _audit(accounts, "staff role", f"{name} {role}")
    _say(f"{name} is {role} from now on and must sign in again")


@staff_app.command("reset")
def reset_command(name: Name, database: Database = URL) -> None:
    """Make a new first password and take the second factor off."""
    with _accounts(database) as accounts:
        password = accounts.reset(name, time.time())
        _audit(accounts, "staff reset", name)
    _say(f"password for the next sign-in of {name}, shown only now: {password}")


@staff_app.command("disable")
def disable_command(
    name: Name,
    database: Database = URL,
    undo: Annotated[bool, typer.Option("--undo", help="open the account again")] = False,
) -> None:
    """Close an account; its sessions are ended."""
    with _accounts(database) as accounts:
        accounts.disable(name, disabled=not undo)
        _audit(accounts, "staff disable", f"{name}{' undone' if undo else ''}")
    _say(f"{name} {'may sign in again' if undo else 'may not sign in any more'}")


@staff_app.command("sessions")
def sessions_command(
    name: Annotated[str | None, typer.Argument(help="of one account only")] = None,
    database: Database = URL,
) -> None:
    """Sign-ins that have not ended."""
    table = Table("session", "name", "begun", "used", "from")
    with _accounts(database) as accounts:
        for row in accounts.store.sessions(name):
            times = (_when(row.created_us), _when(row.seen_us))
            table.add_row(row.session_id, row.name, *times, row.origin)
    Console().print(table)


@staff_app.command("end")
def end_command(
    what: Annotated[str, typer.Argument(help="a session's id, or a name: all of its sessions")],
    database: Database = URL,
) -> None:
    """End sessions."""
    with _accounts(database) as accounts:
        store = accounts.store
        ended = store.end_sessions(session_id=what) or store.end_sessions(name=what)
        _audit(accounts, "staff end", what)
    if not ended:
        raise UsageError(f"expected a session's id or somebody who is signed in, got {what}")
    _say(f"{ended} ended")


def openapi_command(
    out: Annotated[Path | None, typer.Option("--out", help="the file to write")] = None,
) -> None:
    """Write the OpenAPI document of the hub's HTTP interface."""
    from hub.api.document import document_text

    check_output("--out", out)
    text = document_text()
    if out is None:
        sys.stdout.write(text)
    else:
        write_output("--out", out, text)


@contextmanager
def _accounts(url: str) -> Iterator[Accounts]:
    """The accounts of a hub's database; one that is not there is not made."""
    from hub.accounts.service import Accounts
    from hub.accounts.store import AccountStore

    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).is_file():
        raise UsageError(
            f"expected a hub's database, {path} is not there; start the hub once, "
            "or give --database"
        )
    store = AccountStore(url)
    try:
        yield Accounts(store, session_s=1.0, idle_s=1.0)
    finally:
        store.close()


def _audit(accounts: Accounts, action: str, target: str) -> None:
    from hub.accounts.audit import Entry, append
    from hub.effects import us

    append(accounts.store, Entry(WHO, action, target, getpass.getuser()), us(time.time()))


def _role(text: str) -> Role:
    from hub.accounts.model import ROLES

    for role in ROLES:
        if role == text:
            return role
    raise UsageError(f"expected a role of {', '.join(ROLES)}, got {text!r}")


def _asked() -> str:
    """Typed twice at a terminal, or one line of a pipe."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\n")
    first = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != first:
        raise UsageError("expected the same password twice")
    return first


def _when(at_us: int | None) -> str:
    if at_us is None:
        return "-"
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _say(text: str) -> None:
    whole_lines().print(text, markup=False)
