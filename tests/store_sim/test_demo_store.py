"""The demo store is what it promises to be."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from contracts.store_file import StoreFile, load_store_file
from store_sim.world.stock import FRONT_GAP_M, ROW_GAP_M

DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"


def _store() -> StoreFile:
    return load_store_file(DEMO)


def test_it_has_the_promised_size() -> None:
    store = _store()
    assert len(store.bays) == 3
    assert [len(bay.boards) for bay in store.bays] == [4, 4, 4]
    assert len(store.products) == len(store.slots) == 24
    assert len(store.plates) == 48
    roles = Counter(camera.role for camera in store.cameras)
    assert roles == {"shelf": 3, "ceiling": 4}
    assert store.wallet.hold_minor == 5000
    assert {p.packaging.shape for p in store.products} == {"box", "can", "bottle"}
    assert {p.vat for p in store.products} == {"standard", "reduced"}


def test_gtins_are_of_the_restricted_range() -> None:
    assert all(p.gtin.startswith("20") and len(p.gtin) == 13 for p in _store().products)


def test_every_product_fits_its_slot() -> None:
    store = _store()
    boards = {board.board_id: board for bay in store.bays for board in bay.boards}
    for slot in store.slots:
        packaging = store.product(slot.gtin).packaging
        bay = next(bay for bay in store.bays if bay.bay_id == slot.bay_id)
        # Room for fingers between neighbours and for a lift under the board above.
        assert slot.facings * (packaging.width_m + 0.004) <= slot.u1_m - slot.u0_m
        rows_m = slot.deep * (packaging.depth_m + ROW_GAP_M)
        assert FRONT_GAP_M + rows_m <= bay.depth_m, slot.slot_id
        assert packaging.height_m + 0.03 <= boards[slot.board_id].clearance_m, slot.slot_id
        assert 2 <= slot.deep <= 4


def test_plates_cover_every_board_once() -> None:
    store = _store()
    for bay in store.bays:
        for board in bay.boards:
            edges = sorted(
                (plate.u0_m, plate.u1_m)
                for plate in store.plates
                if plate.board_id == board.board_id
            )
            assert [low for low, _ in edges] == [0.0, *[high for _, high in edges[:-1]]]
            assert edges[-1][1] == bay.width_m


def test_some_neighbours_look_alike_and_weigh_the_same() -> None:
    store = _store()
    alike = 0
    for left, right in zip(store.slots, store.slots[1:], strict=False):
        a, b = store.product(left.gtin), store.product(right.gtin)
        same_shape = (a.packaging.shape, a.packaging.width_m, a.packaging.height_m) == (
            b.packaging.shape,
            b.packaging.width_m,
            b.packaging.height_m,
        )
        if left.board_id == right.board_id and same_shape and a.weight_g == b.weight_g:
            assert (a.brand, a.packaging.accent_rgb) != (b.brand, b.packaging.accent_rgb)
            alike += 1
    assert alike >= 5
