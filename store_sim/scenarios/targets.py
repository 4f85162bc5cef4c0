"""Which device a line of a script means."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.store_file import StoreFile
from store_sim.scenarios.casting import Part
from store_sim.scenarios.words import Words

__all__ = ["target_of"]


def target_of(words: Words, parts: Mapping[str, Part], store: StoreFile) -> str:
    """`camera of X`, `plate of X`, `bay of X`, `all`, or nothing: a device's id, or all."""
    what = words.peek()
    if what == "all":
        words.next("all")
        return ""
    if what not in ("camera", "plate", "bay"):
        return ""
    words.next(what)
    words.one_of("of", ("of",))
    part = words.part(parts)
    bay_id = part.slot.bay_id
    if what == "bay":
        return bay_id
    if what == "camera":
        names = [camera.camera_id for camera in store.cameras if camera.bay_id == bay_id]
    else:
        names = [
            plate.plate_id
            for plate in store.plates
            if plate.board_id == part.slot.board_id and plate.u1_m > part.slot.u0_m
        ]
    if not names:
        words.fail(f"store {store.store_id} lacks a {what} at {part.slot.slot_id}")
    return names[0]
