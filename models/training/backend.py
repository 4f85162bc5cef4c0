"""Getting torch and ultralytics ready on any machine, a broken torchvision included.

The CPU build of torch comes without a torchvision that fits it: the one that pip finds fails with
"operator torchvision::nms does not exist" as soon as ultralytics trains or exports. ultralytics
needs one function of it, non-maximum suppression, and carries its own in `TorchNMS.nms`; where
the real torchvision cannot be imported, a stub with this one function takes its place.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.metadata
import os
import sys
import types
from pathlib import Path
from typing import Any

from models.errors import TrainingError

__all__ = ["device_name", "load_torch", "load_ultralytics", "pick_device", "versions"]


def load_torch(threads: int | None = None) -> Any:
    """The torch module, with `threads` compute threads where given."""
    try:
        torch = importlib.import_module("torch")
    except ImportError as error:
        raise TrainingError(
            "expected torch, it is not installed; install the training extra: "
            "pip install 'sortie-store[train]'."
        ) from error
    if threads is not None:
        torch.set_num_threads(threads)
    return torch


def _stub_torchvision() -> None:
    stub = types.ModuleType("torchvision")
    stub.__spec__ = importlib.machinery.ModuleSpec("torchvision", None)
    ops = types.ModuleType("torchvision.ops")
    ops.__spec__ = importlib.machinery.ModuleSpec("torchvision.ops", None)

    def nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        suppress = importlib.import_module("ultralytics.utils.nms").TorchNMS.nms
        return suppress(boxes, scores, iou_threshold)

    ops.__dict__["nms"] = nms
    stub.__dict__.update({"ops": ops, "__version__": "0.0.0"})
    sys.modules["torchvision"] = stub
    sys.modules["torchvision.ops"] = ops


def load_ultralytics(settings: Path, threads: int | None = None) -> Any:
    """The ultralytics module: offline, its settings kept in `settings`, torchvision usable."""
    settings.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(settings))
    os.environ.setdefault("YOLO_OFFLINE", "true")
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    load_torch(threads)
    try:
        importlib.import_module("torchvision.ops")
    except (ImportError, RuntimeError, AttributeError, OSError):
        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        _stub_torchvision()
    try:
        return importlib.import_module("ultralytics")
    except ImportError as error:
        raise TrainingError(
            "expected ultralytics, it is not installed; install the training extra: "
            "pip install 'sortie-store[train]'."
        ) from error


def pick_device(device: str) -> str:
    """Check a device name ("cpu", "cuda", "cuda:0", "0"); return it as torch writes it."""
    if device == "cpu":
        return device
    torch = load_torch()
    name = f"cuda:{device}" if device.isdigit() else device
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise TrainingError(
            f"expected the device {device!r}, torch sees no GPU here; use --device cpu or "
            "install a torch build for this GPU."
        )
    return name


def device_name(device: str) -> str:
    """What the manifest says it was trained on."""
    if device.startswith("cuda"):
        return str(load_torch().cuda.get_device_name(device))
    return f"cpu, {load_torch().get_num_threads()} threads"


def versions(*packages: str) -> dict[str, str]:
    """Installed versions of packages, for the manifest."""
    return {name: importlib.metadata.version(name) for name in packages}
