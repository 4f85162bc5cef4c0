"""`sortie view`: a scenario or a recording as a video with the truth drawn in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sortie.errors import UsageError
from sortie.stores import StoreOption

if TYPE_CHECKING:
    from store_sim.viewer import ActionStrip, Show

__all__ = ["register", "run_view"]

SHOPPERS = 4
LOOP_S = 120.0
"""How much is shown of a day that begins again for ever, if nobody says."""


def run_view(
    source: str,
    *,
    store_path: Path | None,
    seed: int,
    shoppers: int,
    duration_s: float | None,
    out: Path | None,
    pictures: Path | None,
    console: Console,
) -> None:
    """Films a scenario by name or a recorded folder. UsageError for what cannot be written."""
    from store_sim.viewer import StripMaker, film

    if out is None and pictures is None:
        out = Path(f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', Path(source).name)}-seed{seed}.mp4")
    if out is not None and out.suffix.lower() != ".mp4":
        raise UsageError(f"expected --out as a name that ends in .mp4, got {out}")
    if pictures is not None:
        if not pictures.parent.is_dir():
            raise UsageError(f"expected --pictures in an existing folder, got {pictures}; make it")
        pictures.mkdir(exist_ok=True)
    with _progress() as bar:
        show = _show(source, store_path, seed, shoppers, duration_s, bar("looking ahead", None))
        strips = None
        if pictures is not None:
            shown = [one for one in show.known.actions if one.t_s <= show.duration_s]
            strips = StripMaker(show.store, shown)
        written: list[Path] = []

        def keep(strip: ActionStrip) -> None:
            if pictures is not None:
                written.extend(_write(strip, pictures))

        frames = film(
            show, out, strips=strips, on_strip=keep, progress=bar("filming", show.duration_s)
        )
    if out is not None:
        size = out.stat().st_size / 1e6
        console.print(f"{out}: {frames} frames, {size:.1f} MB", highlight=False, soft_wrap=True)
    if pictures is not None:
        console.print(f"{pictures}: {len(written)} pictures", highlight=False, soft_wrap=True)
    for what in getattr(show, "missing", ()):
        console.print(f"[yellow]missing[/] {escape(what)}", highlight=False)


def _show(
    source: str,
    store_path: Path | None,
    seed: int,
    shoppers: int,
    duration_s: float | None,
    progress: Callable[[float], None],
) -> Show:
    from contracts.store_file import load_store_file
    from sortie.day import demo_store_path
    from store_sim.scenarios import SCENARIOS, build
    from store_sim.viewer import RecordedShow, SimulatedShow

    if source not in SCENARIOS and Path(source).is_dir():
        return RecordedShow(Path(source), duration_s=duration_s, progress=progress)
    store = load_store_file(store_path or demo_store_path())
    scenario = build(source, store, seed, shoppers)
    if scenario.loops and duration_s is None:
        duration_s = LOOP_S
    return SimulatedShow(store, scenario, seed, duration_s=duration_s, progress=progress)


def _write(strip: ActionStrip, folder: Path) -> Iterator[Path]:
    from PIL import Image

    action = strip.action
    for camera_id, rgb in strip.pictures:
        name = f"{action.t_s:07.2f}s-shopper{action.shopper}-{action.kind}-{camera_id}.png"
        path = folder / name
        try:
            Image.fromarray(rgb).save(path)
        except OSError as error:
            raise UsageError(f"{path}: cannot be written ({error.strerror})") from error
        yield path


@contextmanager
def _progress() -> Iterator[Callable[[str, float | None], Callable[[float], None]]]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:

        def begin(what: str, total_s: float | None) -> Callable[[float], None]:
            task = bar.add_task(what, total=total_s)

            def tell(t_s: float) -> None:
                text = f"{what}: {t_s:.0f} s of store time"
                bar.update(task, completed=t_s, description=text)

            return tell

        yield begin


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command()
    def view(
        source: Annotated[str, typer.Argument(help="a scenario by name, or a recorded folder")],
        *,
        store: StoreOption = None,
        seed: Annotated[int, typer.Option(min=0)] = 1,
        shoppers: Annotated[int, typer.Option(min=1, help="visits of a generated day")] = SHOPPERS,
        duration_s: Annotated[
            float | None, typer.Option(min=1.0, help="store seconds to show; else to the end")
        ] = None,
        out: Annotated[Path | None, typer.Option("--out", help="the video, .mp4")] = None,
        pictures: Annotated[
            Path | None, typer.Option("--pictures", help="a folder for pictures of each action")
        ] = None,
    ) -> None:
        """Show what really happens: the floor from above and every camera, truth drawn in."""
        run_view(
            source,
            store_path=store,
            seed=seed,
            shoppers=shoppers,
            duration_s=duration_s,
            out=out,
            pictures=pictures,
            console=Console(),
        )
