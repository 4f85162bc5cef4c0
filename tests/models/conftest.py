"""Training is an extra of its own: where torch is not installed, its tests are not collected."""

from __future__ import annotations

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("torch") else ["test_training_torch*.py"]
