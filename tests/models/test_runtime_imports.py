"""What runs in a store never loads the training libraries."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import importlib, pkgutil, sys

def walk(name):
    module = importlib.import_module(name)
    for info in pkgutil.iter_modules(getattr(module, "__path__", ())):
        full = f"{name}.{info.name}"
        # Migrations are scripts that Alembic runs, not modules.
        if full != "models.training" and not full.endswith(".migrations"):
            walk(full)

for name in ("models", "vision", "edge", "hub", "hardware"):
    walk(name)
loaded = sorted(sys.modules)
tops = [name.split(".")[0] for name in loaded]
print(sum(top in ("models", "vision", "edge", "hub", "hardware") for top in tops))
print([top for top in tops if top in ("torch", "torchvision", "ultralytics")])
print([m for m in loaded if m.startswith("models.training")])
"""


def test_no_runtime_package_imports_torch_or_ultralytics() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    count, libraries, training = done.stdout.strip().splitlines()[-3:]
    assert int(count) > 15
    assert libraries == "[]"
    assert training == "[]"
