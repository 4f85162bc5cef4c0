"""`sortie train`: pictures from the simulator, training, export, and shipping what is better.

A run is a folder: datasets/, one folder of checkpoints per model, weights/ with the exports and
their manifests. Every step goes on where it was stopped.
"""

from __future__ import annotations

import shutil
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

if TYPE_CHECKING:
    from models.manifest import Manifest
    from sortie.training_plan import Plan

__all__ = ["ship_models", "train_app"]

train_app = typer.Typer(
    help="Train the inference models on simulated pictures, and ship them.", no_args_is_help=True
)

WEIGHTS_BYTES_MAX = 12_000_000
"""All weights and manifests together; the repository carries them."""


class Budget(StrEnum):
    """How much is trained."""

    QUICK = "quick"
    FULL = "full"


class Part(StrEnum):
    """A model, and the data it learns from."""

    SHELF = "shelf"
    CEILING = "ceiling"
    EMBEDDING = "embedding"
    CHANGE = "change"


class View(StrEnum):
    """A detector."""

    SHELF = "shelf"
    CEILING = "ceiling"


Out = Annotated[Path, typer.Option("--out", help="folder of the run; an old run is continued")]
Device = Annotated[str, typer.Option("--device", help="cpu, cuda, or the number of a GPU")]
BudgetOption = Annotated[Budget, typer.Option("--budget", help="how much to train")]
Threads = Annotated[int, typer.Option("--threads", min=1, help="compute threads on a CPU")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="processes that make pictures")]
StartFrom = Annotated[
    Path | None, typer.Option("--start-from", help="another run or an .onnx file to begin with")
]
OUT = Path("runs/train")


def _plan(budget: Budget) -> Plan:
    from sortie.training_plan import PLANS

    return PLANS[budget.value]


def _say(manifest: Manifest) -> None:
    console = Console()
    console.print(f"{manifest.name}: {manifest.parameters:,} parameters, {manifest.held_out_on}")
    for score in manifest.held_out:
        console.print(f"  {score.metric} {score.subject}: {score.value:.4f} (n={score.n})")


def _write_dataset(part: Part, plan: Plan, out: Path, workers: int) -> None:
    from models.training.dataset import write_pictures, write_shards
    from sortie import pictures_for_training as pictures
    from sortie.training_plan import PICTURES_PER_SEED

    folder = out / "datasets" / part.value
    if part is Part.EMBEDDING:
        write_shards(folder, pictures.crops, plan.crops, workers=workers)
    elif part is Part.CHANGE:
        write_shards(folder, pictures.pairs, plan.pairs, workers=workers)
    else:
        view: pictures.View = "shelf" if part is Part.SHELF else "ceiling"
        width, height = pictures.SIZES[view]
        write_pictures(
            folder,
            pictures.shelf if part is Part.SHELF else pictures.ceiling,
            plan.shelf if part is Part.SHELF else plan.ceiling,
            per_seed=PICTURES_PER_SEED,
            classes=pictures.CLASSES[view],
            width_px=width,
            height_px=height,
            workers=workers,
        )


def _train_view(
    view: View, plan: Plan, out: Path, device: str, threads: int, start_from: Path | None
) -> None:
    from models.training.backend import device_name, pick_device
    from models.training.dataset import Dataset
    from models.training.detector import export_detector, train_detector
    from sortie.pictures_for_training import group_of

    recipe = plan.shelf_recipe if view is View.SHELF else plan.ceiling_recipe
    dataset = Dataset.read(out / "datasets" / view.value)
    start = None
    if start_from is not None and start_from.suffix == ".onnx":
        start = start_from
    elif start_from is not None:
        start = start_from / view.value / "run" / "weights" / "last.pt"
    checkpoint = train_detector(
        dataset, out / view.value, recipe=recipe, device=device, threads=threads, start_from=start
    )
    weights = out / "weights" / f"{view.value}.onnx"
    weights.parent.mkdir(parents=True, exist_ok=True)
    manifest = export_detector(
        checkpoint,
        dataset,
        weights,
        recipe=recipe,
        trained_on=device_name(pick_device(device)),
        source="simulated pictures",
        group_of=group_of,
        start_note="" if start_from is None else f"the weights of {start_from.name}",
    )
    _say(manifest)


def _train_small(part: Part, plan: Plan, out: Path, device: str, threads: int) -> None:
    from models.training.change import train_change
    from models.training.embedding import train_embedding
    from sortie.pictures_for_training import CROP_GROUPS

    shards, checkpoints = out / "datasets" / part.value, out / part.value
    weights = out / "weights" / f"{part.value}.onnx"
    weights.parent.mkdir(parents=True, exist_ok=True)
    if part is Part.EMBEDDING:
        manifest = train_embedding(
            shards,
            checkpoints,
            weights,
            recipe=plan.embedding_recipe,
            source="simulated crops",
            groups=CROP_GROUPS,
            device=device,
            threads=threads,
        )
    else:
        manifest = train_change(
            shards,
            checkpoints,
            weights,
            recipe=plan.change_recipe,
            source="simulated pairs",
            device=device,
            threads=threads,
        )
    _say(manifest)


@train_app.command("dataset")
def make_datasets(
    parts: Annotated[
        list[Part] | None, typer.Argument(help="which; all where none is named")
    ] = None,
    out: Out = OUT,
    budget: BudgetOption = Budget.FULL,
    workers: Workers = 2,
) -> None:
    """Write the training pictures; what exists is kept."""
    for part in parts or list(Part):
        _write_dataset(part, _plan(budget), out, workers)


@train_app.command("detector")
def train_detectors(
    views: Annotated[
        list[View] | None, typer.Argument(help="which; both where none is named")
    ] = None,
    out: Out = OUT,
    device: Device = "cpu",
    budget: BudgetOption = Budget.FULL,
    threads: Threads = 2,
    workers: Workers = 2,
    start_from: StartFrom = None,
) -> None:
    """Train the shelf and ceiling detectors, export and score them."""
    for view in views or list(View):
        _write_dataset(Part(view.value), _plan(budget), out, workers)
        _train_view(view, _plan(budget), out, device, threads, start_from)


@train_app.command("embedding")
def train_the_embedding(
    out: Out = OUT,
    device: Device = "cpu",
    budget: BudgetOption = Budget.FULL,
    threads: Threads = 2,
    workers: Workers = 2,
) -> None:
    """Train the product embedding, export, calibrate and score it."""
    _write_dataset(Part.EMBEDDING, _plan(budget), out, workers)
    _train_small(Part.EMBEDDING, _plan(budget), out, device, threads)


@train_app.command("change")
def train_the_change_classifier(
    out: Out = OUT,
    device: Device = "cpu",
    budget: BudgetOption = Budget.FULL,
    threads: Threads = 2,
    workers: Workers = 2,
) -> None:
    """Train the change classifier, export, calibrate and score it."""
    _write_dataset(Part.CHANGE, _plan(budget), out, workers)
    _train_small(Part.CHANGE, _plan(budget), out, device, threads)


@train_app.command("all")
def train_all(
    out: Out = OUT,
    device: Device = "cpu",
    budget: BudgetOption = Budget.FULL,
    threads: Threads = 2,
    workers: Workers = 2,
    start_from: StartFrom = None,
) -> None:
    """Everything: datasets, detectors, embedding, change classifier."""
    for part in Part:
        _write_dataset(part, _plan(budget), out, workers)
    for part in Part:
        if part in (Part.SHELF, Part.CEILING):
            _train_view(View(part.value), _plan(budget), out, device, threads, start_from)
        else:
            _train_small(part, _plan(budget), out, device, threads)


def ship_models(run: Path, target: Path, *, force: bool = False) -> list[str]:
    """Copy the weights of a run to `target` where they are new or score no worse than what is
    there; return a line about each. Raises TrainingError where together they grow too large.

    Detectors there are scored again on the run's own held-out pictures, if it has kept them: the
    pictures change with the simulator, and figures on others say nothing.
    """
    from models.errors import ModelNotFoundError, TrainingError
    from models.manifest import list_manifests, load_manifest, verify
    from sortie.models_cli import HEADLINES

    source = run / "weights"
    manifests = [m for m in list_manifests(source) if m.held_out]
    if not manifests:
        raise ModelNotFoundError(
            f"expected scored models in {source}, there are none; train them with "
            f"`sortie train all --out {run}`."
        )
    lines = []
    for manifest in manifests:
        weights = verify(source / manifest.file, manifest)
        metric = HEADLINES[manifest.task]
        new, old = manifest.score(metric), None
        if (target / f"{manifest.name}.json").exists():
            old = _score_on(run, target, manifest.name)
            if old is None:
                old = load_manifest(target / f"{manifest.name}.json").score(metric)
        if not force and old is not None and (new is None or new < old):
            lines.append(f"{manifest.name}: kept, {metric} {old} is better than {new}")
            continue
        there = sum(path.stat().st_size for path in target.iterdir() if path.name != manifest.file)
        if there + manifest.bytes > WEIGHTS_BYTES_MAX:
            raise TrainingError(
                f"{manifest.name} would bring the weights to {there + manifest.bytes:,} bytes, "
                f"expected at most {WEIGHTS_BYTES_MAX:,}; train a smaller network."
            )
        shutil.copyfile(weights, target / manifest.file)
        shutil.copyfile(weights.with_suffix(".json"), target / f"{manifest.name}.json")
        lines.append(f"{manifest.name}: shipped, {metric} {new} (was {old})")
    return lines


def _score_on(run: Path, target: Path, name: str) -> float | None:
    """mAP50 of the detector in `target` on the held-out pictures of a run; None without any."""
    from models.detector import Detector
    from models.training.dataset import Dataset, read_picture
    from models.training.score import detector_scores

    folder = run / "datasets" / name
    if not (folder / "images" / "val").is_dir():
        return None
    dataset = Dataset.read(folder)
    pictures = map(read_picture, dataset.pictures("val"))
    scores = detector_scores(Detector(target / f"{name}.onnx").detect, pictures, dataset.classes)
    return scores[0].value if scores else None


@train_app.command("ship")
def ship(
    run: Annotated[Path, typer.Argument(help="folder of a run")],
    force: Annotated[
        bool, typer.Option("--force", help="also where the held-out score is lower")
    ] = False,
) -> None:
    """Copy a run's weights and manifests to models/weights where they are better."""
    from models.manifest import WEIGHTS

    for line in ship_models(run, WEIGHTS, force=force):
        Console().print(line)
