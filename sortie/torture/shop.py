"""The shop that is tortured: four bays, eight products, three nodes; and what sensors say of it.

Evidence here is clear: who reached where is never in doubt unless an act is drawn as doubtful, so
that what a receipt must say is known. Positions are metres on the floor, times hub seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from contracts import messages as m
from contracts.ids import gtin_check_digit
from contracts.store_file import StoreFile, Wallet

__all__ = ["BAYS", "CORRIDOR_Y_M", "ENTRY_M", "EXIT_X_M", "Place", "closed", "layout", "places",
    "with_wallet",
]  # fmt: skip

BAYS = ("bay-a", "bay-b", "bay-c", "bay-d")
FRONT_Y_M = 4.05
STAND_M = 0.5
ENTRY_M = (1.0, 0.4)
EXIT_X_M = 7.0
CORRIDOR_Y_M = 2.0
PRICES_MINOR = (119, 249, 75, 1499, 333, 89, 620, 199)
WEIGHTS_G = (350.0, 500.0, 120.0, 950.0, 240.0, 180.0, 720.0, 430.0)
RATES = ("full", "food")
WALLET = {
    "hold_minor": 2_000,
    "tab_visit_minor_max": 250,
    "tab_minor_max": 400,
    "tab_age_s": 30.0,
    "tip_minor_max": 500,
    "tip_window_s": 600.0,
}
FACINGS, DEEP = 5, 6


@dataclass(frozen=True, slots=True)
class Place:
    """A slot and what stands there: `u_m` is its middle, `x_m` where one stands before it."""

    slot_id: str
    bay_id: str
    board_id: str
    plate_id: str
    node_id: str
    gtin: str
    weight_g: float
    u_m: float
    x_m: float
    y_m: float


@lru_cache(maxsize=1)
def layout() -> StoreFile:
    """The store file."""
    bays = [
        {
            "bay_id": bay_id,
            "origin_m": [_origin_x_m(index), FRONT_Y_M],
            "facing_deg": -90,
            "width_m": 1.0,
            "depth_m": 0.4,
            "height_m": 2.0,
            "boards": [{"board_id": f"{bay_id}-1", "z_m": 0.9, "clearance_m": 0.4}],
        }
        for index, bay_id in enumerate(BAYS)
    ]
    gates = [
        {
            "gate_id": name,
            "kind": name,
            "line_m": [[x_m - 0.5, y_m], [x_m + 0.5, y_m]],
            "zone_m": [[x_m - 0.7, 0.0], [x_m + 0.7, 0.0], [x_m + 0.7, 1.0], [x_m - 0.7, 1.0]],
        }
        for name, x_m, y_m in (("entry", ENTRY_M[0], 0.0), ("exit", EXIT_X_M, 0.25))
    ]
    document: dict[str, Any] = {
        "schema_version": 1,
        "store_id": "torture",
        "name": "Torture",
        "currency": "EUR",
        "vat_rates": {"full": "0.19", "food": "0.07"},
        "wallet": WALLET,
        "floor": {"width_m": 8.0, "depth_m": 4.5, "ceiling_m": 3.0},
        "bays": bays,
        "plates": [
            {
                "plate_id": f"{bay_id}-p{half}",
                "bay_id": bay_id,
                "board_id": f"{bay_id}-1",
                "u0_m": 0.5 * half,
                "u1_m": 0.5 * half + 0.5,
            }
            for bay_id in BAYS
            for half in (0, 1)
        ],
        "gates": gates,
        "nodes": [
            {"node_id": "node-left", "bays": ["bay-a", "bay-b"]},
            {"node_id": "node-right", "bays": ["bay-c", "bay-d"]},
            {"node_id": "node-floor", "floor": True, "gates": True},
        ],
        "products": [_product(number) for number in range(len(PRICES_MINOR))],
        "slots": [
            {
                "slot_id": f"{BAYS[number // 2]}-s{number % 2}",
                "bay_id": BAYS[number // 2],
                "board_id": f"{BAYS[number // 2]}-1",
                "u0_m": 0.5 * (number % 2),
                "u1_m": 0.5 * (number % 2) + 0.5,
                "gtin": _gtin(number),
                "facings": FACINGS,
                "deep": DEEP,
            }
            for number in range(len(PRICES_MINOR))
        ],
    }
    return StoreFile.model_validate(document)


def with_wallet(**other: object) -> StoreFile:
    """The store file with other settings of the wallet."""
    store = layout()
    wallet = Wallet.model_validate({**store.wallet.model_dump(), **other})
    return store.model_copy(update={"wallet": wallet})


@lru_cache(maxsize=1)
def places() -> tuple[Place, ...]:
    """Every slot, in the order of the store file."""
    store = layout()
    weights = {product.gtin: product.weight_g for product in store.products}
    nodes = {bay: node.node_id for node in store.nodes for bay in node.bays}
    return tuple(
        Place(
            slot_id=slot.slot_id,
            bay_id=slot.bay_id,
            board_id=slot.board_id,
            plate_id=f"{slot.bay_id}-p{round(slot.u0_m * 2)}",
            node_id=nodes[slot.bay_id],
            gtin=slot.gtin,
            weight_g=weights[slot.gtin],
            u_m=(slot.u0_m + slot.u1_m) / 2,
            x_m=_origin_x_m(BAYS.index(slot.bay_id)) + (slot.u0_m + slot.u1_m) / 2,
            y_m=FRONT_Y_M - STAND_M,
        )
        for slot in store.slots
    )


def closed(
    place: Place, reach_id: str, *, quantity: int, clear: bool, t_in_s: float, t_out_s: float
) -> m.ReachClosed:
    """What the node says of one act, in the device's seconds; quantity > 0 was taken."""
    right, wrong = (0.0, -7.0) if clear else (-0.7, -0.7)
    action = m.ActionLikelihood(
        pick=right if quantity > 0 else wrong,
        put_back=right if quantity < 0 else wrong,
        nothing=wrong if clear else 0.0,
    )
    scores = m.ProductScores(
        top=(m.ProductLikelihood(gtin=place.gtin, log_likelihood=0.0),), other=-7.0
    )
    full, empty = (0.95, 0.05) if clear else (0.5, 0.5)
    hand = m.HandSeen(
        hand_id=f"{reach_id}:h",
        t_in_s=t_in_s,
        t_out_s=t_out_s,
        u_m=place.u_m,
        z_m=1.02,
        sd_u_m=0.04,
        sd_z_m=0.05,
        body_x_m=place.x_m,
        body_y_m=place.y_m,
        body_sd_m=0.12,
        arm_deg=90.0,
        held_in=full if quantity < 0 else empty,
        held_out=full if quantity > 0 else empty,
        products=scores,
    )
    change = m.FacingChange(
        board_id=place.board_id,
        u0_m=place.u_m - 0.04,
        u1_m=place.u_m + 0.04,
        t_before_s=t_in_s,
        t_after_s=t_out_s + 0.2,
        action=action,
        pieces=(0.0, -7.0, -9.0),
        products=scores,
    )
    grams = m.GramStep(
        plate_id=place.plate_id,
        t_start_s=t_in_s + 0.3,
        t_end_s=t_out_s,
        delta_g=-quantity * place.weight_g,
        sd_g=1.0,
    )
    return m.ReachClosed(
        reach_id=reach_id,
        bay_id=place.bay_id,
        t_open_s=t_in_s,
        t_close_s=t_out_s + 0.2,
        u_m=place.u_m,
        sd_u_m=0.06,
        hands=(hand,),
        changes=(change,),
        grams=(grams,) if clear else (),
        camera_ok=True,
        plates_ok=clear,
    )


def _product(number: int) -> dict[str, Any]:
    return {
        "gtin": _gtin(number),
        "name": f"Thing {number}",
        "brand": "Torture",
        "size_label": f"{WEIGHTS_G[number]:.0f} g",
        "weight_g": WEIGHTS_G[number],
        "weight_sd_g": 2.0,
        "price_minor": PRICES_MINOR[number],
        "vat": RATES[number % 2],
        "packaging": {
            "shape": "can",
            "width_m": 0.07,
            "depth_m": 0.06,
            "height_m": 0.12,
            "base_rgb": [1, 2, 3],
            "accent_rgb": [4, 5, 6],
        },
    }


def _gtin(number: int) -> str:
    digits = f"20000000{number:04d}"
    return f"{digits}{gtin_check_digit(digits)}"


def _origin_x_m(index: int) -> float:
    return 0.5 + 2.0 * index
