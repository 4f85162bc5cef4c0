"""`sortie`, one command for staff and developers; heavy imports wait inside their command."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.errors import ContractError
from sortie.errors import SortieError, UsageError
from sortie.stores import StoreOption

__all__ = ["app", "main"]

app = typer.Typer(
    name="sortie",
    help="An open walk-out store: the shop whose checkout is the exit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class SensorsChoice(StrEnum):
    """Sensor sets, always reported apart."""

    both = "both"
    camera = "camera"
    plates = "plates"


class SpeedChoice(StrEnum):
    """How fast a headless day runs."""

    max = "max"
    real = "real"


class PartChoice(StrEnum):
    """What can be measured."""

    edge = "edge"
    hub = "hub"
    parcels = "parcels"
    sim = "sim"
    torture = "torture"
    year = "year"


JsonFile = Annotated[
    Path | None, typer.Option("--json", help="write the result to this file as JSON")
]
DialSettings = Annotated[
    list[str] | None,
    typer.Option("--dial", help="turn a dial of the simulator, as NAME=VALUE; may be repeated"),
]
SensorSet = Annotated[
    SensorsChoice, typer.Option("--sensors", help="which sensors the nodes may use")
]


@app.command()
def demo(
    *,
    headless: Annotated[
        bool, typer.Option("--headless", help="no pages, no processes: run, audit, print, end")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="everything random follows from it")] = 1,
    shoppers: Annotated[int, typer.Option(min=1, help="visits in the day")] = 8,
    store: StoreOption = None,
    scenario: Annotated[str, typer.Option(help="a scenario by name")] = "",
    sensors: SensorSet = SensorsChoice.both,
    speed: Annotated[
        SpeedChoice, typer.Option(help="headless: as fast as can be, or as the clock goes")
    ] = SpeedChoice.max,
    port: Annotated[int, typer.Option(min=1, max=65535, help="where the pages listen")] = 8700,
    dial: DialSettings = None,
    json_file: JsonFile = None,
) -> None:
    """Run the whole store with simulated shoppers; headless: score a day against its truth."""
    if headless:
        from sortie.commands import run_headless

        run_headless(
            store_path=store,
            scenario=scenario or "easy",
            seed=seed,
            shoppers=shoppers,
            sensors=sensors.value,
            real_time=speed is SpeedChoice.real,
            json_file=json_file,
            dials=tuple(dial or ()),
        )
        return
    if dial:
        raise UsageError("expected --headless with --dial; the demo's own processes have no dials")
    from sortie.demo import run_demo

    run_demo(
        store_path=store,
        scenario=scenario or "demo-day",
        seed=seed,
        sensors=sensors.value,
        port=port,
        shoppers=shoppers,
    )


@app.command()
def record(
    folder: Annotated[Path, typer.Argument(help="where the recording goes; must not exist yet")],
    *,
    scenario: Annotated[str, typer.Option(help="a scenario by name")] = "easy",
    seed: Annotated[int, typer.Option(min=0)] = 1,
    shoppers: Annotated[int, typer.Option(min=1)] = 4,
    store: StoreOption = None,
    duration_s: Annotated[
        float | None, typer.Option(min=1.0, help="store seconds; needed by days that loop")
    ] = None,
    cameras: Annotated[
        list[str] | None, typer.Option(help="only this camera; may be given again for more")
    ] = None,
    dial: DialSettings = None,
) -> None:
    """Record a simulated day: a video per camera, plates, gates, and the truth apart."""
    from sortie.commands import run_record

    run_record(
        folder,
        store_path=store,
        scenario=scenario,
        seed=seed,
        shoppers=shoppers,
        duration_s=duration_s,
        cameras=cameras,
        dials=tuple(dial or ()),
    )


@app.command()
def replay(
    folder: Annotated[Path, typer.Argument(help="a recording, or videos with a store file")],
    *,
    sensors: SensorSet = SensorsChoice.both,
    strict: Annotated[
        bool, typer.Option("--strict", help="refuse a recording of which anything is missing")
    ] = False,
    json_file: JsonFile = None,
) -> None:
    """Run a recording through the same vision and the same hub."""
    from sortie.commands import run_replay

    run_replay(folder, sensors=sensors.value, json_file=json_file, strict=strict)


@app.command()
def bench(
    part: Annotated[PartChoice, typer.Argument(help="what to measure")],
    *,
    json_file: JsonFile = None,
) -> None:
    """Measure edge, hub, pick-up walls, simulator or a year, beside limits; or torture the hub."""
    from sortie.bench import run_bench

    run_bench(part.value, json_file=json_file)


@app.command()
def doctor() -> None:
    """Say what this machine lacks to run the store, and how to mend it."""
    from sortie.doctor import run_doctor

    raise typer.Exit(run_doctor(Console()))


def _add_parts() -> None:
    """Sub-commands that live in modules of their own; these import little at their top."""
    from sortie import score_cmd
    from sortie.devices_cmd import register as register_devices
    from sortie.exit_display_cmd import register as register_exit_display
    from sortie.hub_cmd import register as register_hub
    from sortie.labels_cmd import register as register_labels
    from sortie.library_cmd import register as register_library
    from sortie.models_cli import models_app
    from sortie.parcels_cmd import register as register_parcels
    from sortie.plates_cmd import register as register_plates
    from sortie.sbom import register as register_sbom
    from sortie.store_cmd import register as register_store
    from sortie.torture.cli import register as register_torture
    from sortie.train import train_app
    from sortie.view_cmd import register as register_view
    from sortie.wall_cmd import register as register_wall
    from sortie.watch_cmd import register

    app.add_typer(models_app, name="models", help="List and verify the shipped weights.")
    app.add_typer(train_app, name="train", help="Make pictures and train the weights again.")
    register(app)
    score_cmd.register(app)
    register_store(app)
    register_library(app)
    register_view(app)
    register_parcels(app)
    register_wall(app)
    register_plates(app)
    register_labels(app)
    register_hub(app)
    register_devices(app)
    register_exit_display(app)
    register_torture(app)
    register_sbom(app)


def main() -> None:
    """Runs the command line; errors a user can mend end in one line and exit status 1."""
    _add_parts()
    from auditor.errors import AuditError
    from edge.errors import EdgeError
    from hardware.errors import HardwareError
    from hub.errors import HubError
    from models.errors import ModelError
    from store_sim.errors import SimulatorError
    from vision.errors import VisionError

    mendable = (
        AuditError, ContractError, EdgeError, HardwareError, HubError, ModelError, SimulatorError,
        SortieError, VisionError,
    )  # fmt: skip
    try:
        app()
    except mendable as error:
        print(f"sortie: {error}", file=sys.stderr)
        raise SystemExit(1) from error
