"""The text of the pages of accounts. Everything that comes from elsewhere is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from hub.accounts.model import ROLES, SCOPES

__all__ = ["WAYS", "account_html", "people_html", "told_html"]

Row = Mapping[str, Any]
WAYS = """<nav><a href="/staff">Staff</a> <a href="/account">My account</a>
<a href="/people">People</a></nav>
"""
KINDS = {
    "shared": "You are here with the store's own password. It has no account: sign in under a name "
    "of your own, which an admin can add.",
    "local": "Everyone on this machine may do everything.",
    "key": "This is a key, not a person.",
}


def told_html(said: Row, fault: str) -> str:
    """What came of a form: a fault, or what the hub tells once."""
    if fault:
        return f'<p class="fault" role="alert">{escape(fault)}</p>'
    parts = []
    if "qr_svg" in said:
        parts.append(_enrolment(said))
    for name, words in (
        ("password", "Password for the next sign-in"),
        ("key", "The key, to be sent as a bearer token"),
    ):
        if name in said:
            parts.append(f"<p>{words}, shown only now: <code>{escape(str(said[name]))}</code></p>")
    if "recovery_codes" in said:
        codes = "".join(f"<li><code>{escape(code)}</code></li>" for code in said["recovery_codes"])
        parts.append(
            "<p>Recovery codes, shown only now. Each is good once, if the authenticator is "
            f"lost.</p><ul>{codes}</ul>"
        )
    return f'<div class="told" role="status">{"".join(parts) or "<p>Done.</p>"}</div>'


def account_html(me: Row, sessions: Sequence[Row]) -> str:
    """One's own account."""
    who = f"<h2>{escape(me['name'])}, {escape(me['role'] or '')}</h2>"
    if me["kind"] != "person":
        return f"{who}<p>{KINDS.get(me['kind'], '')}</p>{_own_sessions(sessions)}"
    limited = f'<p class="fault">{escape(me["limited"])}</p>' if me["limited"] else ""
    return who + limited + _password() + _factor(me) + _own_sessions(sessions)


def people_html(people: Sequence[Row], sessions: Sequence[Row], keys: Sequence[Row]) -> str:
    """Everybody's accounts, sessions and the keys."""
    return _people(people) + _everybodys(sessions) + _keys(keys)


def _enrolment(said: Row) -> str:
    picture = base64.b64encode(str(said["qr_svg"]).encode()).decode()
    return (
        f'<p>Read this with an authenticator:</p><img class="qr" alt="QR code of the secret" '
        f'src="data:image/svg+xml;base64,{picture}">'
        f"<p>or type <code>{escape(said['secret'])}</code></p>"
        + _form("account/confirm", _field("code", "The code it shows", "one-time-code"), "Confirm")
    )


def _password() -> str:
    fields = _field("old", "Password now", "current-password", kind="password")
    fields += _field("new", "New password, 12 characters or more", "new-password", kind="password")
    return "<h2>Password</h2>" + _form("account/password", fields, "Change it")


def _factor(me: Row) -> str:
    fields = _field("password", "Password", "current-password", kind="password", ident="factor")
    if not me["totp"]:
        return "<h2>Second factor</h2><p>Off.</p>" + _form("account/totp", fields, "Set it up")
    fields += _field("code", "A code, to take it off", "one-time-code")
    return "<h2>Second factor</h2><p>On.</p>" + _form("account/remove", fields, "Take it off")


def _own_sessions(sessions: Sequence[Row]) -> str:
    rows = (
        [
            "this one" if row["own"] else "",
            _when(row["created_us"]),
            escape(row["origin"]),
        ]
        for row in sessions
    )
    others = "".join(
        f'<option value="{escape(row["session_id"])}">that of {_when(row["created_us"])}</option>'
        for row in sessions
        if not row["own"]
    )
    fields = (
        '<label for="which">Which to end</label><select id="which" name="session_id">'
        f'<option value="">all but this one</option>{others}</select>'
        + _field("password", "Password", "current-password", kind="password", ident="ending")
    )
    return f"<h2>Signed in</h2>{_table(('', 'since', 'from'), rows)}" + _form(
        "account/end", fields, "End"
    )


def _people(people: Sequence[Row]) -> str:
    rows = (
        [
            escape(row["name"]),
            _roles(row),
            "on" if row["totp"] else "off",
            "closed" if row["disabled"] else "new password due" if row["must_change"] else "",
            _when(row["last_login_us"]),
            _button("people/reset", "New password", name=row["name"])
            + _button(
                "people/open" if row["disabled"] else "people/close",
                "Open" if row["disabled"] else "Close",
                name=row["name"],
            ),
        ]
        for row in people
    )
    head = ("name", "role", "second factor", "", "last here", "")
    fields = _field("name", "Name", "off") + f"<label>Role {_select('clerk')}</label>"
    return f"<h2>People</h2>{_table(head, rows)}" + _form("people/add", fields, "Add")


def _everybodys(sessions: Sequence[Row]) -> str:
    rows = (
        [
            escape(row["name"]),
            _when(row["created_us"]),
            _when(row["seen_us"]),
            escape(row["origin"]),
            _button("people/end", "End", session_id=row["session_id"]),
        ]
        for row in sessions
    )
    return f"<h2>Signed in</h2>{_table(('name', 'since', 'used', 'from', ''), rows)}"


def _keys(keys: Sequence[Row]) -> str:
    rows = (
        [
            escape(row["label"]),
            escape(" ".join(row["scopes"])),
            "never" if row["expires_us"] is None else _when(row["expires_us"]),
            _when(row["used_us"]),
            "revoked"
            if row["revoked_us"] is not None
            else _button("people/revoke", "Revoke", key_id=row["key_id"]),
        ]
        for row in keys
    )
    boxes = "".join(
        f'<label class="tick"><input type="checkbox" name="scopes" value="{scope}">{scope}</label>'
        for scope in SCOPES
    )
    fields = _field("label", "What it is for", "off") + f"<fieldset>{boxes}</fieldset>"
    fields += _field("days", "Days it lasts, 0 for ever", "off", value="365")
    head = ("key", "may", "until", "used", "")
    return f"<h2>API keys</h2>{_table(head, rows)}" + _form("people/key", fields, "Make a key")


def _roles(row: Row) -> str:
    fields = f'<input type="hidden" name="name" value="{escape(row["name"])}">'
    return _form("people/role", fields + _select(row["role"]), "Set", small=True)


def _select(chosen: str) -> str:
    options = "".join(
        f"<option{' selected' if role == chosen else ''}>{role}</option>" for role in ROLES
    )
    return f'<select name="role" aria-label="Role">{options}</select>'


def _field(
    name: str, words: str, complete: str, *, kind: str = "text", value: str = "", ident: str = ""
) -> str:
    ident = ident or name
    return (
        f'<label for="{ident}">{words}</label><input id="{ident}" name="{name}" type="{kind}" '
        f'autocomplete="{complete}" value="{value}" required maxlength="256">'
    )


def _form(action: str, fields: str, words: str, *, small: bool = False) -> str:
    look = ' class="small"' if small else ""
    return (
        f'<form method="post" action="/{action}"{look}>{fields}'
        f'<button type="submit">{words}</button></form>'
    )


def _button(action: str, words: str, **hidden: str) -> str:
    fields = "".join(
        f'<input type="hidden" name="{name}" value="{escape(value)}">'
        for name, value in hidden.items()
    )
    return _form(action, fields, words, small=True)


def _table(head: Iterable[str], rows: Iterable[Sequence[str]]) -> str:
    top = "".join(f"<th>{name}</th>" for name in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def _when(at_us: int | None) -> str:
    if at_us is None:
        return "never"
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%Y-%m-%d %H:%M")
