"""`sortie models`: what ships, how good it is, and whether the files are the checked ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

__all__ = ["models_app"]

models_app = typer.Typer(help="The inference models that ship.", no_args_is_help=True)

Folder = Annotated[
    Path | None, typer.Option("--folder", help="weights and manifests elsewhere than the shipped")
]
HEADLINES = {"detect": "mAP50", "embed": "top1", "change": "accuracy"}
"""The held-out figure that a model of each task is judged by."""


@models_app.command("list")
def list_models(folder: Folder = None) -> None:
    """List the models with their held-out figures."""
    from models.manifest import WEIGHTS, list_manifests

    table = Table("model", "task", "input", "held out", "n", "pictures", "MB", "sha256")
    for manifest in list_manifests(folder or WEIGHTS):
        spec = manifest.input
        scores = [s for s in manifest.held_out if s.metric == HEADLINES[manifest.task]]
        table.add_row(
            manifest.name,
            manifest.task,
            f"{spec.width_px}x{spec.height_px}x{spec.channels}",
            "\n".join(f"{score.metric} {score.subject} {score.value:.3f}" for score in scores),
            "\n".join(str(score.n) for score in scores),
            str(manifest.pictures),
            f"{manifest.bytes / 1e6:.2f}",
            manifest.sha256[:12],
        )
    Console().print(table)


@models_app.command("verify")
def verify_models(folder: Folder = None) -> None:
    """Check every weight file against its manifest and open it; exit status 1 at a fault."""
    from models.change import ChangeClassifier
    from models.detector import Detector
    from models.embedding import Embedder
    from models.errors import ModelError, ModelNotFoundError
    from models.manifest import WEIGHTS, list_manifests

    place = folder or WEIGHTS
    manifests = list_manifests(place)
    if not manifests:
        raise ModelNotFoundError(
            f"expected manifests in {place}, there are none; restore the folder from the "
            "repository or ship models with `sortie train ship`."
        )
    runners = {"detect": Detector, "embed": Embedder, "change": ChangeClassifier}
    console, faults = Console(soft_wrap=True), 0
    for manifest in manifests:
        try:
            runners[manifest.task](place / manifest.file)
        except ModelError as error:
            faults += 1
            console.print(f"{manifest.name}: {error}", style="red", markup=False, highlight=False)
        else:
            console.print(f"{manifest.name}: ok {manifest.sha256}", highlight=False)
    if faults:
        raise typer.Exit(1)
