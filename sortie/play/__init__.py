"""Be the shopper, and trick it: the demo's page on which a person leads an avatar.

`python -m sortie.play.main` is a process of its own beside the running demo. It shows what the
simulator, the hub and the cameras say side by side, and hands commands to the simulator. For the
demo alone: it knows the truth, which no page of a real store could.
"""

from __future__ import annotations

__all__: list[str] = []
