"""`python -m sortie.enrol STORE.yaml`: makes the store's gallery if there is none, prints its path.

With `--photos-only`, products that have pictures are enrolled from these alone: for a real store,
where nothing looks as it is drawn. A process of its own, because drawing the views compiles and
takes seconds in which the rest of the store starts.
"""

from __future__ import annotations

import os
import sys

from contracts.errors import ContractError
from contracts.store_file import load_store_file
from models.errors import ModelError
from sortie.errors import SortieError
from sortie.gallery import store_gallery
from sortie.stores import store_path
from store_sim.errors import SimulatorError

__all__ = ["main"]

NICER = 5
PHOTOS_ONLY = "--photos-only"


def main(arguments: list[str] | None = None) -> int:
    """0 and the path on standard output, or 1 and one line on standard error."""
    given = sys.argv[1:] if arguments is None else arguments
    names = [argument for argument in given if argument != PHOTOS_ONLY]
    if len(names) != 1 or names[0].startswith("-"):
        sys.stderr.write(f"expected one store file and perhaps {PHOTOS_ONLY}, got {given}\n")
        return 1
    # What people wait for comes first: pages and cameras.
    os.nice(NICER)
    try:
        file = store_path(names[0])
        path = store_gallery(
            load_store_file(file), folder=file.parent, drawn=PHOTOS_ONLY not in given
        )
    except (ContractError, ModelError, SimulatorError, SortieError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
