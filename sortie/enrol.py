"""`python -m sortie.enrol STORE.yaml`: makes the store's gallery if there is none, prints its path.

A process of its own, because drawing the views compiles and takes seconds in which the rest of the
store starts.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from contracts.errors import ContractError
from contracts.store_file import load_store_file
from models.errors import ModelError
from sortie.gallery import store_gallery
from store_sim.errors import SimulatorError

__all__ = ["main"]

NICER = 5


def main(arguments: list[str] | None = None) -> int:
    """0 and the path on standard output, or 1 and one line on standard error."""
    paths = sys.argv[1:] if arguments is None else arguments
    if len(paths) != 1:
        sys.stderr.write(f"expected one store file, got {len(paths)} arguments\n")
        return 1
    # What people wait for comes first: pages and cameras.
    os.nice(NICER)
    try:
        path = store_gallery(load_store_file(Path(paths[0])))
    except (ContractError, ModelError, SimulatorError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
