"""`python -m hub.main` with fail points: SORTIE_TORTURE_POINT=NAME:COUNT kills it there.

The hub knows nothing of this; the points are put around its functions before it begins.
"""

from __future__ import annotations

import os
import signal
import sys

from hub.main import main
from sortie.torture.points import FailPoints, fail_points

__all__ = ["POINT", "run"]

POINT = "SORTIE_TORTURE_POINT"


def run() -> int:
    """The hub, until it is told to stop or comes to its point."""
    points = FailPoints(kill=lambda _name: os.kill(os.getpid(), signal.SIGKILL))
    wish = os.environ.get(POINT, "")
    if wish:
        name, _, count = wish.partition(":")
        points.arm(name, count=int(count or 1))
    with fail_points(points):
        return main()


if __name__ == "__main__":
    sys.exit(run())
