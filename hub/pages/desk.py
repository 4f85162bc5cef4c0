"""The staff page's part for the gate and the desk: let somebody in, say whose a body is, take
what is owed."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.feed import HubFeed
from hub.pages.panes import Pane
from hub.pages.shown import Snapshot
from hub.pages.words import label, money

__all__ = ["DeskPanel", "debtors"]

DEBTORS_SHOWN = 20


def debtors(shot: Snapshot) -> list[tuple[str, int]]:
    """Visits that are over and owe something, with what they owe in minor units."""
    return [
        (row["visit_id"], row["debt_minor"])
        for row in shot.visits
        if row["stage"] == "final" and row["debt_minor"] > 0
    ][-DEBTORS_SHOWN:]


class DeskPanel:
    """Buttons of one member of staff's page. It is drawn anew only when what it offers changed."""

    def __init__(self, feed: HubFeed, token: str = "") -> None:
        self._feed = feed
        self._token = token
        self._drawn: object = None
        button = ui.button("Let somebody in…", on_click=self._let_in)
        button.props("flat no-caps").classes("let-in")
        self._rows = ui.element("div").classes("desk")

    def show(self, shot: Snapshot) -> None:
        """Bodies that nothing explains, and debts."""
        bodies = [] if shot.state is None else list(shot.state.get("tagged_along", ()))
        owed = debtors(shot)
        inside = [row["visit_id"] for row in shot.visits if row["stage"] == "shopping"]
        now = (repr(bodies), owed, inside if bodies else [])
        if now == self._drawn:
            return
        self._drawn = now
        self._rows.clear()
        with self._rows:
            for body in bodies:
                self._body(body, inside)
            for visit_id, minor in owed:
                self._debt(visit_id, minor, shot.currency)

    def _body(self, body: Mapping[str, Any], inside: list[str]) -> None:
        track_id = str(body["track_id"])
        Pane("tagged", role="alert").show(
            f"<p><b>Somebody came in at {escape(str(body['gate_id']))} behind a shopper</b> "
            f"({escape(track_id)}). Nobody is accused: it may be a child, or staff.</p>"
        )
        with ui.row().classes("answers"):
            for visit_id in inside:
                ask = partial(self._say, f"tracks/{track_id}/assign", {"visit_id": visit_id})
                ui.button(f"With {label(visit_id)}", on_click=ask).props("flat dense no-caps")
            for who, text in (("staff", "Staff"), ("shopper", "Pays at the desk")):
                about = {"who": who, "reason": "tagged along"}
                ask = partial(self._say, f"tracks/{track_id}/visit", about)
                ui.button(text, on_click=ask).props("flat dense no-caps")

    def _debt(self, visit_id: str, minor: int, currency: str) -> None:
        # One id for these buttons: pressing twice is one payment.
        payment_id = f"desk-{secrets.token_hex(8)}"
        with ui.row().classes("answers debt"):
            Pane().show(f"<p>{escape(label(visit_id))} owes {escape(money(minor, currency))}</p>")
            for method, text in (("cash", "Paid in cash"), ("card", "Paid by card")):
                about = {"payment_id": payment_id, "method": method, "amount_minor": minor}
                ask = partial(self._say, f"visits/{visit_id}/payments", about)
                ui.button(text, on_click=ask).props("flat dense no-caps").classes(f"paid-{method}")

    async def _say(self, path: str, body: Mapping[str, Any]) -> None:
        answer, words = await self._feed.ask(path, body, token=self._token)
        if answer is None:
            ui.notify(words, type="negative")
        else:
            ui.notify("Done.", type="positive")

    def _let_in(self) -> None:
        layout = self._feed.shot.layout
        gates = [] if layout is None else [g for g in layout["gates"] if g["kind"] == "entry"]
        if not gates:
            ui.notify("The hub does not answer; nobody can be let in.", type="negative")
            return
        with ui.dialog(value=True) as dialog, ui.card().classes("let-in-card"):
            dialog.on("hide", dialog.delete)
            Pane().show("<h3>Let somebody in</h3>")
            names = [gate["gate_id"] for gate in gates]
            gate = ui.select(names, value=names[0], label="Gate")
            who = ui.radio({"shopper": "Pays at the desk", "staff": "Helps us"}, value="shopper")
            reason = ui.input("Reason", value="no phone").props('maxlength="200"')
            reason.classes("reason")

            async def go() -> None:
                about = {"gate_id": gate.value, "who": who.value, "reason": reason.value or "-"}
                made, words = await self._feed.ask("entries", about, token=self._token)
                if made is None:
                    ui.notify(words, type="negative")
                    return
                dialog.close()
                claim = made.get("claim")
                if claim:
                    words = f"Let in. The receipt is at /phone/#{claim}"
                    ui.notify(words, timeout=0, close_button=True)

            with ui.row().classes("answers"):
                ui.button("Cancel", on_click=dialog.close).props("flat no-caps")
                ui.button("Open the gate", on_click=go).props("no-caps").classes("go")
