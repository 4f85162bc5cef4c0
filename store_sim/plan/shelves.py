"""What can be wrong with shelves: boards, plates, slots, products, and the eyes on them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from contracts.geometry import Bay, Board, Plate
from contracts.store_file import Product, Slot, StoreFile
from store_sim.plan.coverage import (
    LEAST_PX_CM,
    BoardCoverage,
    front_seen_share,
)
from store_sim.plan.findings import Finding, error, warning

__all__ = ["shelf_findings"]

TOUCH_M = 0.001
GAP_M = 0.005
FINGERS_M = 0.004
"""Between neighbouring facings."""
LIFT_M = 0.02
"""Above a product, so that it can be lifted off its board."""
FRONT_GAP_M, ROW_GAP_M = 0.012, 0.004
TWIN_G = 2.0
SEEN_SHARE_MIN = 0.5

Key = tuple[str, str]


def shelf_findings(store: StoreFile, boards: tuple[BoardCoverage, ...]) -> list[Finding]:
    """All findings about shelves, in the order of the store file."""
    products = {product.gtin: product for product in store.products}
    slots: dict[Key, list[Slot]] = {}
    plates: dict[Key, list[Plate]] = {}
    for slot in store.slots:
        slots.setdefault((slot.bay_id, slot.board_id), []).append(slot)
    for plate in store.plates:
        plates.setdefault((plate.bay_id, plate.board_id), []).append(plate)
    coverage = {(board.bay_id, board.board_id): board for board in boards}
    found: list[Finding] = []
    for bay in store.bays:
        found += _bay(bay)
        watched = any(camera.bay_id == bay.bay_id for camera in store.cameras)
        if not watched and any(slot.bay_id == bay.bay_id for slot in store.slots):
            found.append(_no_camera(bay))
        for board in bay.boards:
            key = (bay.bay_id, board.board_id)
            on_board = sorted(slots.get(key, []), key=lambda slot: slot.u0_m)
            under = sorted(plates.get(key, []), key=lambda plate: plate.u0_m)
            found += _plates(bay, board, under, on_board, watched=watched)
            found += _slots(bay, board, on_board, products)
            if watched and on_board:
                found += _fineness(coverage[key])
    found += _cameras(store)
    return found


def _bay(bay: Bay) -> Iterator[Finding]:
    for low, high in pairwise(bay.boards):
        if low.z_m + low.clearance_m > high.z_m + TOUCH_M:
            yield warning(
                "clearance", low.board_id,
                f"its clearance of {low.clearance_m:.2f} m ends at "
                f"{low.z_m + low.clearance_m:.2f} m, above {high.board_id} at {high.z_m:.2f} m",
                f"make it at most {high.z_m - low.z_m:.2f} m less the thickness of the board",
            )  # fmt: skip
    top = bay.boards[-1]
    if top.z_m > bay.height_m:
        yield error(
            "board-height", top.board_id,
            f"it lies at {top.z_m:.2f} m, above the bay, which is {bay.height_m:.2f} m high",
            "lower the board or raise the bay's height_m",
        )  # fmt: skip


def _no_camera(bay: Bay) -> Finding:
    return warning(
        "no-shelf-camera", bay.bay_id,
        "no shelf camera watches it; with the sensor set `camera` nothing is charged from it",
        "add a camera with role: shelf and this bay_id, half a metre before its front at 2.7 m",
    )  # fmt: skip


def _plates(
    bay: Bay, board: Board, plates: list[Plate], slots: list[Slot], *, watched: bool
) -> Iterator[Finding]:
    where = board.board_id
    for plate in plates:
        if plate.u0_m < -TOUCH_M or plate.u1_m > bay.width_m + TOUCH_M:
            yield error(
                "plate-outside", plate.plate_id,
                f"it reaches from {plate.u0_m:.3f} to {plate.u1_m:.3f} m on a board of "
                f"{bay.width_m:.3f} m",
                f"keep it between 0 and {bay.width_m:.3f}",
            )  # fmt: skip
    for left, right in pairwise(plates):
        if right.u0_m < left.u1_m - TOUCH_M:
            yield error(
                "plates-overlap", where,
                f"{left.plate_id} ends at {left.u1_m:.3f} m, {right.plate_id} begins at "
                f"{right.u0_m:.3f} m",
                "plates lie side by side: let each begin where the one before ends",
            )  # fmt: skip
    if not slots:
        return
    if not plates:
        if watched:
            yield warning(
                "no-plates", where, "no plate lies on it; with the sensor set `plates` nothing "
                "is charged from it", "add plates to the board, or rely on the shelf camera",
            )  # fmt: skip
        else:
            yield error(
                "unwatched", where, "neither a plate nor a shelf camera notices what is taken",
                "add plates to the board or a shelf camera to its bay",
            )  # fmt: skip
        return
    for slot in slots:
        bare = _bare_m(slot, plates)
        if bare > GAP_M:
            yield warning(
                "plate-gap", slot.slot_id,
                f"{bare * 100:.1f} cm of it lie on no plate; what stands there weighs on the "
                "plates beside it, or on none",
                f"close the gap in the plates of {where}, or move the slot",
            )  # fmt: skip


def _bare_m(slot: Slot, plates: list[Plate]) -> float:
    covered, reached = 0.0, slot.u0_m
    for plate in plates:
        low, high = max(reached, plate.u0_m), min(slot.u1_m, plate.u1_m)
        if high > low:
            covered += high - low
            reached = high
    return slot.u1_m - slot.u0_m - covered


def _slots(
    bay: Bay, board: Board, slots: list[Slot], products: dict[str, Product]
) -> Iterator[Finding]:
    for slot in slots:
        yield from _fit(bay, board, slot, products[slot.gtin])
    for left, right in pairwise(slots):
        if right.u0_m < left.u1_m - TOUCH_M:
            yield error(
                "slots-overlap", board.board_id,
                f"{left.slot_id} ends at {left.u1_m:.3f} m, {right.slot_id} begins at "
                f"{right.u0_m:.3f} m",
                "give each slot a stretch of its own",
            )  # fmt: skip
        a, b = products[left.gtin], products[right.gtin]
        if a.gtin != b.gtin and abs(a.weight_g - b.weight_g) <= TWIN_G:
            yield warning(
                "equal-weight", f"{left.slot_id} and {right.slot_id}",
                f"neighbours {a.name} ({a.weight_g:g} g) and {b.name} ({b.weight_g:g} g) differ "
                f"by at most {TWIN_G:g} g: plates alone cannot tell a put-back in the wrong place",
                "set something of another weight between them, or rely on the shelf camera",
            )  # fmt: skip


def _fit(bay: Bay, board: Board, slot: Slot, product: Product) -> Iterator[Finding]:
    size = product.packaging
    span = slot.u1_m - slot.u0_m
    pitch = span / slot.facings
    fitting = max(1, int((span + 1e-9) / (size.width_m + FINGERS_M)))
    if size.width_m > pitch + TOUCH_M:
        yield error(
            "too-wide", slot.slot_id,
            f"{slot.facings} facings of {product.name} ({size.width_m * 100:.1f} cm) do not fit "
            f"into {span * 100:.1f} cm",
            f"set facings to at most {fitting}, or widen the slot to "
            f"{slot.facings * (size.width_m + FINGERS_M):.2f} m",
        )  # fmt: skip
    elif size.width_m + FINGERS_M > pitch + 1e-9:
        yield warning(
            "tight", slot.slot_id,
            f"no room for fingers between facings of {product.name}",
            f"set facings to {fitting}, or widen the slot",
        )  # fmt: skip
    deep_m = FRONT_GAP_M + slot.deep * (size.depth_m + ROW_GAP_M)
    if deep_m > bay.depth_m + TOUCH_M:
        fits = max(1, int((bay.depth_m - FRONT_GAP_M) / (size.depth_m + ROW_GAP_M)))
        yield error(
            "too-deep", slot.slot_id,
            f"{slot.deep} of {product.name} one behind the other need {deep_m:.2f} m on a board "
            f"of {bay.depth_m:.2f} m",
            f"set deep to at most {fits}",
        )  # fmt: skip
    free = board.clearance_m - size.height_m
    if free < -TOUCH_M:
        yield error(
            "too-tall", slot.slot_id,
            f"{product.name} is {size.height_m:.3f} m tall under a clearance of "
            f"{board.clearance_m:.3f} m",
            "raise the board above it, or move the product to another board",
        )  # fmt: skip
    elif free < LIFT_M - 1e-9:
        yield warning(
            "no-lift", slot.slot_id,
            f"{product.name} has {free * 100:.1f} cm above it and cannot be lifted off",
            f"leave at least {LIFT_M * 100:.0f} cm",
        )  # fmt: skip


def _fineness(board: BoardCoverage) -> Iterator[Finding]:
    unseen = 1.0 - board.share(1e-9)
    if unseen > 0.02:
        yield warning(
            "shelf-blind", board.board_id,
            f"{unseen:.0%} of its front is in no shelf camera's picture",
            "turn the camera, shorten its focal length (fx, fy), or add one for the other end",
        )  # fmt: skip
    elif board.median < LEAST_PX_CM:
        yield warning(
            "shelf-coarse", board.board_id,
            f"its shelf camera gives {board.median:.1f} px/cm; small things are not told apart "
            f"under {LEAST_PX_CM:g}",
            "give the camera more pixels or a longer focal length",
        )  # fmt: skip


def _cameras(store: StoreFile) -> Iterator[Finding]:
    bays = {bay.bay_id: bay for bay in store.bays}
    for camera in store.cameras:
        if camera.bay_id is None:
            continue
        share = front_seen_share(camera, bays[camera.bay_id])
        if share < SEEN_SHARE_MIN:
            yield error(
                "shelf-camera-aside", camera.camera_id,
                f"it sees {share:.0%} of the front of {camera.bay_id}; the node refuses a camera "
                "that sees less than half",
                "set its pose: half a metre before the front, looking down and slightly towards it",
            )  # fmt: skip
