"""Training a detector from scratch with ultralytics, and exporting it.

The recipe was found on two CPU cores and runs on a GPU by changing only the device.
"""

from __future__ import annotations

import importlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from models.detector import Detector
from models.errors import TrainingError
from models.letterbox import Letterbox
from models.manifest import InputSpec, Manifest
from models.training.backend import device_name, load_torch, load_ultralytics, pick_device
from models.training.dataset import Dataset, LabelledPicture, read_picture, seed_of
from models.training.export import OPSET, clean_graph, compare_detections, write_manifest
from models.training.score import detector_scores
from models.training.start import load_shipped

__all__ = ["DetectorRecipe", "crop_batch", "export_detector", "fresh_model", "train_detector"]

ARCHITECTURE = Path(__file__).with_name("tiny26.yaml")
COMPARED_PICTURES = 32
"""Held-out pictures on which torch and ONNX are compared at export."""
SETTLE_PICTURES = 64
"""Training pictures on which loaded weights find their statistics."""
BOX_LEFT_MIN = 0.35
"""A box that keeps less than this share of itself after cropping is no longer a label."""


@dataclass(frozen=True, slots=True)
class DetectorRecipe:
    """How a detector is trained. `nbs` = `batch`: ultralytics would else save gradients up over
    64 pictures and take a quarter of the steps."""

    epochs: int = 20
    batch: int = 16
    lr0: float = 0.002
    lrf: float = 0.02
    mosaic: float = 0.5
    close_mosaic: int = 4
    warmup_epochs: float = 1.0
    scale: float = 0.35
    translate: float = 0.08
    degrees: float = 4.0
    flip: float = 0.5
    hue: float = 0.02
    saturation: float = 0.5
    value: float = 0.4
    seed: int = 0


def crop_batch(batch: dict[str, Any], height_px: int) -> dict[str, Any]:
    """Cut the middle `height_px` rows out of a square training batch, boxes with it.

    ultralytics pads training pictures to squares; the rows above and below a wide frame are grey
    and cost two fifths of the time at 16:9. `batch` holds img (B, 3, S, S), bboxes (N, 4) as
    centre and size over S, cls (N, 1) and batch_idx (N,).
    """
    side = int(batch["img"].shape[2])
    if side <= height_px:
        return batch
    top = (side - height_px) // 2
    batch["img"] = batch["img"][:, :, top : top + height_px].contiguous()
    boxes = batch["bboxes"]
    y0 = (boxes[:, 1] - boxes[:, 3] / 2) * side - top
    y1 = (boxes[:, 1] + boxes[:, 3] / 2) * side - top
    low, high = y0.clamp(0, height_px), y1.clamp(0, height_px)
    keep = (high - low) > BOX_LEFT_MIN * (y1 - y0).clamp(min=1e-6)
    cut = boxes.clone()
    cut[:, 1] = (low + high) / 2 / height_px
    cut[:, 3] = (high - low) / height_px
    batch["bboxes"] = cut[keep]
    batch["cls"] = batch["cls"][keep]
    batch["batch_idx"] = batch["batch_idx"][keep]
    return batch


def _trainer_class(height_px: int, threads: int, workers: int) -> Any:
    """ultralytics' trainer for frames wider than high. Made here because the base class exists
    only where the training extra is installed."""
    torch = load_torch()
    base: Any = importlib.import_module("ultralytics.models.yolo.detect").DetectionTrainer

    class WideTrainer(base):  # type: ignore[misc]  # the base class is loaded lazily
        """Trains on the middle rows of ultralytics' square pictures."""

        model: Any
        args: Any

        def preprocess_batch(self, batch: dict[str, Any]) -> dict[str, Any]:
            ready: dict[str, Any] = super().preprocess_batch(batch)
            ready = crop_batch(ready, height_px)
            ready["img"] = ready["img"].contiguous(memory_format=torch.channels_last)
            return ready

        def _setup_train(self, *args: Any, **kwargs: Any) -> Any:
            # ultralytics sets one thread fewer than there are cores when it picks the device.
            torch.set_num_threads(threads)
            # On a CPU ultralytics loads pictures between the steps; a process beside them does it
            # in spare time.
            self.args.workers = workers
            result = super()._setup_train(*args, **kwargs)
            # Measured on two CPU cores: 16 % less time a picture than channels first.
            self.model = self.model.to(memory_format=torch.channels_last)
            return result

        def validate(self) -> tuple[dict[str, float], float]:
            # Scores come from the exported file through the runner that ships; ultralytics' own
            # validation would cost as much time as several epochs.
            return {}, 0.0

        def final_eval(self) -> None:
            # Nothing to choose between: the weights of the last epoch are the result.
            return None

    return WideTrainer


def train_detector(
    dataset: Dataset,
    out: Path,
    *,
    recipe: DetectorRecipe,
    device: str = "cpu",
    threads: int = 1,
    workers: int = 1,
    start_from: Path | None = None,
) -> Path:
    """Train (or go on training) and return the checkpoint.

    `out` keeps the checkpoint of every epoch's end; the same call goes on from there after a
    kill, and does nothing when the run is complete. `start_from`: a checkpoint or a shipped
    .onnx of the same classes whose weights begin the run, instead of random ones.
    """
    target = pick_device(device)
    ultralytics = load_ultralytics(out.parent / "ultralytics", threads)
    out.mkdir(parents=True, exist_ok=True)
    last = out / "run" / "weights" / "last.pt"
    done = out / "trained.json"
    asked = json.dumps(asdict(recipe), sort_keys=True)
    if done.exists() and last.exists():
        if json.loads(done.read_text("utf-8"))["recipe"] != asked:
            raise TrainingError(
                f"{out} holds a finished run of another recipe; give another --out or delete it."
            )
        return last
    trainer = _trainer_class(dataset.height_px, threads, workers)
    if last.exists():
        ultralytics.YOLO(str(last)).train(trainer=trainer, resume=True, device=target)
    else:
        shutil.rmtree(out / "run", ignore_errors=True)
        model = fresh_model(ultralytics, dataset, out, start_from)
        model.train(
            trainer=trainer,
            **_arguments(dataset, out, recipe, target, workers, start_from is not None),
        )
    done.write_text(json.dumps({"recipe": asked, "trained_on": device_name(target)}), "utf-8")
    return last


def fresh_model(ultralytics: Any, dataset: Dataset, out: Path, start_from: Path | None) -> Any:
    """The untrained model, or one with the weights of a checkpoint or of a shipped export."""
    if start_from is None:
        return ultralytics.YOLO(str(ARCHITECTURE), task="detect")
    # The number of classes decides the shape of the last layers, so it must be right before
    # weights are filled in; the file's name must stay, its end tells ultralytics the scale.
    plan = yaml.safe_load(ARCHITECTURE.read_text("utf-8")) | {"nc": len(dataset.classes)}
    path = out / ARCHITECTURE.name
    path.write_text(yaml.safe_dump(plan, sort_keys=False), "utf-8")
    model = ultralytics.YOLO(str(path), task="detect")
    if start_from.suffix != ".onnx":
        model.load(str(start_from))
        return model
    spec, blobs = InputSpec(width_px=dataset.width_px, height_px=dataset.height_px), []
    paths = dataset.pictures("train")
    for path in paths[:: max(1, len(paths) // SETTLE_PICTURES)]:
        rgb = read_picture(path).rgb
        canvas = np.full((spec.height_px, spec.width_px, 3), spec.pad_value, np.uint8)
        fit = Letterbox.of(rgb.shape[1], rgb.shape[0], spec.width_px, spec.height_px)
        fit.place(rgb, canvas)
        blobs.append(np.asarray(cv2.dnn.blobFromImage(canvas, spec.scale), np.float32))
    load_shipped(model.model, start_from, blobs)
    model.ckpt = {"model": model.model}  # tells ultralytics that there are weights to keep
    return model


def _arguments(
    dataset: Dataset, out: Path, recipe: DetectorRecipe, device: str, workers: int, loaded: bool
) -> dict[str, Any]:
    """What ultralytics calls these things."""
    return {
        "pretrained": loaded,
        "data": str(dataset.data_yaml),
        "project": str(out.resolve()),
        "name": "run",
        "exist_ok": True,
        "imgsz": max(dataset.width_px, dataset.height_px),
        "epochs": recipe.epochs,
        "batch": recipe.batch,
        "nbs": recipe.batch,
        "optimizer": "AdamW",
        "lr0": recipe.lr0,
        "lrf": recipe.lrf,
        "cos_lr": True,
        "warmup_epochs": recipe.warmup_epochs,
        "mosaic": recipe.mosaic,
        "close_mosaic": recipe.close_mosaic,
        "scale": recipe.scale,
        "translate": recipe.translate,
        "degrees": recipe.degrees,
        "fliplr": recipe.flip,
        "hsv_h": recipe.hue,
        "hsv_s": recipe.saturation,
        "hsv_v": recipe.value,
        "seed": recipe.seed,
        "device": device,
        "workers": workers,
        "cache": "ram",
        "amp": False,
        "val": False,
        "plots": False,
        "verbose": True,
    }


def _torch_rows(
    checkpoint: Path, blobs: Sequence[NDArray[np.float32]]
) -> tuple[list[NDArray[np.float32]], int]:
    """What the torch model answers to the same inputs, and its number of parameters."""
    torch = load_torch()
    ultralytics: Any = importlib.import_module("ultralytics")
    network = ultralytics.YOLO(str(checkpoint)).model.float().eval()
    network.end2end = True
    network.fuse()
    rows = []
    with torch.no_grad():
        for blob in blobs:
            answer = network(torch.from_numpy(blob))
            answer = answer[0] if isinstance(answer, tuple | list) else answer
            rows.append(answer[0].numpy().astype(np.float32))
    return rows, sum(int(weight.numel()) for weight in network.parameters())


def _epochs_done(checkpoint: Path) -> int:
    """Epochs behind a checkpoint; fewer than the recipe's where a run was stopped early."""
    # The checkpoint holds pickled ultralytics classes, written by this very run.
    state = load_torch().load(checkpoint, map_location="cpu", weights_only=False)
    return int(state["epoch"]) + 1


def export_detector(
    checkpoint: Path,
    dataset: Dataset,
    weights: Path,
    *,
    recipe: DetectorRecipe,
    trained_on: str,
    source: str,
    start_note: str = "",
    group_of: Callable[[int], str] | None = None,
) -> Manifest:
    """Export a checkpoint to `weights` (.onnx), compare it with torch, score it on the held-out
    pictures and write its manifest. Raises TrainingError where torch and ONNX differ.

    `group_of` names the group of a seed; the pictures of each group are scored apart, too.
    """
    ultralytics = load_ultralytics(weights.parent / "ultralytics")
    spec = InputSpec(width_px=dataset.width_px, height_px=dataset.height_px)
    exported = ultralytics.YOLO(str(checkpoint)).export(
        format="onnx",
        imgsz=[dataset.height_px, dataset.width_px],
        opset=OPSET,
        simplify=False,
        dynamic=False,
        nms=False,
        device="cpu",
    )
    shutil.move(exported, weights)
    clean_graph(weights)
    facts: dict[str, Any] = {
        "task": "detect",
        "classes": dataset.classes,
        "spec": spec,
        "recipe": {
            "architecture": ARCHITECTURE.stem,
            "started_from": start_note or "scratch",
            "epochs_done": _epochs_done(checkpoint),
            **asdict(recipe),
        },
        "pictures": len(dataset.pictures("train")),
        "trained_on": trained_on,
        "held_out_on": f"{len(dataset.pictures('val'))} {source} of seeds not trained on",
        "packages": ("ultralytics", "torch", "onnx", "onnxruntime"),
    }
    # The runner insists on a manifest, so a first one without figures comes before the figures.
    write_manifest(weights, parameters=1, held_out=(), differences={}, **facts)
    detector = Detector(weights)
    pictures = [read_picture(path) for path in dataset.pictures("val")]
    blobs = [detector.prepare(picture.rgb)[0] for picture in pictures[:COMPARED_PICTURES]]
    ours, parameters = _torch_rows(checkpoint, blobs)
    differences = compare_detections(ours, [detector.infer(blob) for blob in blobs])
    held_out = list(detector_scores(detector.detect, pictures, dataset.classes))
    groups: dict[str, list[LabelledPicture]] = {}
    if group_of is not None:
        for path, picture in zip(dataset.pictures("val"), pictures, strict=True):
            groups.setdefault(group_of(seed_of(path)), []).append(picture)
    for name, members in sorted(groups.items()):
        for score in detector_scores(detector.detect, members, dataset.classes):
            held_out.append(score.model_copy(update={"subject": f"{name}: {score.subject}"}))
    return write_manifest(
        weights, parameters=parameters, held_out=held_out, differences=differences, **facts
    )
