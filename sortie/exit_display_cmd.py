"""`sortie exit-display`: a gate's signs on a customer display of text lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["exit_display", "register"]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("exit-display")(exit_display)


def exit_display(
    gate: Annotated[str, typer.Argument(help="an exit gate of the store")],
    device: Annotated[Path, typer.Argument(help="the display, such as /dev/ttyUSB0")],
    *,
    hub_url: Annotated[
        str, typer.Option("--hub", help="where the hub is")
    ] = "http://127.0.0.1:8080",
    token: Annotated[
        str, typer.Option(envvar="SORTIE_SCREEN_TOKEN", help="the token of this gate's display")
    ] = "",
    columns: Annotated[int, typer.Option(min=16, max=200, help="letters in a line")] = 40,
    rows: Annotated[int, typer.Option(min=1, max=40, help="lines")] = 2,
) -> None:
    """Show what people pay at a gate on a customer display; a browser opens /exit/GATE instead."""
    import httpx

    from hardware.displays import TextDisplay, TextDisplaySettings
    from sortie.exit_display import SILENT_S_MAX, Follower

    display = TextDisplay(TextDisplaySettings(path=device, columns=columns, rows=rows))
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    timeout = httpx.Timeout(5.0, read=SILENT_S_MAX)
    with httpx.Client(base_url=hub_url, headers=headers, timeout=timeout) as client:
        follower = Follower(client, gate, display)
        try:
            follower.run()
        except KeyboardInterrupt:
            pass
        finally:
            follower.stop()
            display.close()
