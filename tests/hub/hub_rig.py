"""`python -m tests.hub.hub_rig`: the hub's own process, with the tests' plain attributor.

What dies and what goes on is the question, not how hands are told apart.
"""

from __future__ import annotations

import sys

import hub.main
from tests.hub.conftest import NearestAttributor

if __name__ == "__main__":
    vars(hub.main)["Engine"] = NearestAttributor
    sys.exit(hub.main.main())
