"""What staff do at a pick-up wall: one dialog or button each, which asks the hub once and says what
came of it."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from html import escape
from typing import Any

from nicegui import ui

from hub.pages.panes import Pane, answers, ask_reason, dialog_over
from hub.pages.walls_office import WallsOffice, parcel_path
from hub.pages.walls_shown import route_html
from hub.pages.walls_words import key_tail

__all__ = ["WallForms"]

Json = Mapping[str, Any]
ROUTE_BYTES_MAX = 500_000
HOUR_S = 3600.0
NO_ROUTE = '<p class="quiet">No route is shown. Load one from a file, or name one.</p>'


class WallForms:
    """Dialogs over one page. `wall_id` says which wall is looked at, `now_s` is the hub's time,
    `again` asks for the lists once more."""

    def __init__(
        self,
        office: WallsOffice,
        wall_id: Callable[[], str | None],
        now_s: Callable[[], float],
        again: Callable[[], Awaitable[None]],
    ) -> None:
        self._office = office
        self._wall_id = wall_id
        self._now_s = now_s
        self._again = again
        self._route_id = ""
        self._route: Json | None = None

    async def tell(self, path: str, body: Json, done: str) -> bool:
        """Asks the hub, and tells what came of it."""
        well, words = await self._office.tell(path, body)
        ui.notify(done if well else words, type="positive" if well else "negative")
        if well:
            await self._again()
        return well

    # -- the wall -------------------------------------------------------------------------

    async def calibrate(self) -> None:
        """The projectors are measured anew; the wall is dark meanwhile."""
        path = f"walls/{self._wall_id()}/calibrate"
        await self.tell(path, {}, "It is being calibrated; the wall is dark meanwhile.")

    async def clear(self, number: str, outcome: str) -> None:
        """Staff have looked at an alarm."""
        path = f"walls/{self._wall_id()}/alarms/{number}/clear"
        await self.tell(path, {"outcome": outcome}, "Noted.")

    # -- parcels --------------------------------------------------------------------------

    async def stow(self, key: str) -> None:
        """Where a parcel should go is shown on the wall."""
        body = {"wall_id": self._wall_id()}
        done = f"Put {key_tail(key)} into the white dashed frame."
        await self.tell(f"{parcel_path(key)}/stow", body, done)

    async def missing(self, key: str) -> None:
        """Nobody finds a parcel."""
        await self.tell(f"{parcel_path(key)}/missing", {}, f"{key_tail(key)} is missing.")

    # -- orders ---------------------------------------------------------------------------

    def release(self, order: Json | None) -> None:
        """What is there of an order may be fetched, for longer if that is wanted."""
        if order is None:
            return
        words = "What stands on the wall may be fetched, whatever is still expected."
        with _form(f"Release {order['order_id']}", words) as dialog:
            hours = ui.number("For so many hours from now (empty: as it is)", min=1, precision=0)

            async def send() -> None:
                until_s = self._now_s() + HOUR_S * (hours.value or 0)
                body = {"deadline_s": until_s} if hours.value else {}
                if await self.tell(f"orders/{order['order_id']}/release", body, "Released."):
                    dialog.close()

            answers(dialog, "Release", send)

    def cancel(self, order: Json | None) -> None:
        """An order is off; what shines for it is dark at once."""
        if order is None:
            return

        async def send(reason: str) -> tuple[bool, str]:
            path = f"orders/{order['order_id']}/cancel"
            done = await self._office.tell(path, {"reason": reason})
            await self._again()
            return done

        head = f"<h3>Cancel {escape(str(order['order_id']))}</h3>"
        ask_reason(f"{head}<p>What shines for it goes dark at once.</p>", "Cancel the order", send)

    def take_back(self, order: Json | None) -> None:
        """A customer brought parcels back."""
        if order is None:
            return
        given = [row for row in order["parcels"] if row["state"] == "handed_over"]
        if not given:
            ui.notify("Nothing of it was handed over, so nothing can come back.", type="info")
            return
        # One id for this dialog: pressing twice takes back once.
        return_id = f"return-{secrets.token_hex(8)}"
        chosen = dict.fromkeys((str(row["key"]) for row in given), True)
        words = "What was paid for it at pick-up is given back the way it came."
        with _form(f"Take back from {order['order_id']}", words) as dialog:
            for key in chosen:
                ui.checkbox(
                    key_tail(key),
                    value=True,
                    on_change=lambda event, key=key: chosen.update({key: bool(event.value)}),
                )
            refund = ui.checkbox("Give the money back", value=True)
            reason = ui.input("Reason").props('maxlength="200"').classes("reason")

            async def send() -> None:
                body = {
                    "return_id": return_id,
                    "keys": [key for key, wanted in chosen.items() if wanted],
                    "refund": bool(refund.value),
                    "reason": reason.value or "",
                }
                if not body["keys"]:
                    ui.notify("Choose at least one parcel.", type="warning")
                elif await self.tell(f"orders/{order['order_id']}/returns", body, "Taken back."):
                    dialog.close()

            answers(dialog, "Take back", send)

    # -- routes ---------------------------------------------------------------------------

    def build_route(self) -> None:
        """The part of the page for a van's route."""
        self._route_pane = Pane("route")
        self._name = ui.input("Route").props('dense maxlength="63"').classes("route-name")
        self._name.on("keydown.enter", self._show_route)
        with ui.row().classes("answers"):
            ui.button("Show", on_click=self._show_route).props("flat dense no-caps")
            ui.button("Next stop", on_click=self._next).props("flat dense no-caps")
        upload = ui.upload(label="Route file (JSON)", auto_upload=True, on_upload=self._load)
        upload.props(f'accept=".json" max-file-size={ROUTE_BYTES_MAX} flat').classes("route-file")
        self._route_pane.show(NO_ROUTE)

    async def refresh_route(self) -> None:
        """The route as it is now."""
        if self._route_id:
            self._route = await self._office.route(self._route_id)
            self._route_pane.show(NO_ROUTE if self._route is None else route_html(self._route))

    async def _show_route(self) -> None:
        self._route_id = str(self._name.value or "").strip()
        await self.refresh_route()

    async def _next(self) -> None:
        if self._route is not None:
            body = {"at": self._route["at"]}
            await self.tell(f"routes/{self._route['route_id']}/next", body, "On to the next stop.")

    async def _load(self, event: Any) -> None:
        content = await event.file.read()
        event.sender.reset()
        try:
            body = json.loads(content)
        except (ValueError, RecursionError) as error:
            ui.notify(f"Expected a route file as JSON: {error}", type="negative")
            return
        if not isinstance(body, dict):
            ui.notify('Expected {"route_id": …, "stops": […]}.', type="negative")
            return
        body.setdefault("wall_id", self._wall_id())
        if await self.tell("routes", body, "The route is loaded."):
            self._route_id = str(body["route_id"])
            self._name.set_value(self._route_id)
            await self.refresh_route()


def _form(title: str, words: str) -> Any:
    head = f"<h3>{escape(title)}</h3><p>{escape(words)}</p>"
    return dialog_over(head, look="refund form")
