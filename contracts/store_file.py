"""The store file: one YAML document that says what a store is made of.

The file is the seed: the hub's database owns the configuration afterwards. `load_store_file`
validates it and names file, line and field of every fault.
"""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError, model_validator

from contracts.base import Contract
from contracts.errors import StoreFileError
from contracts.geometry import Bay, Camera, Gate, Plate
from contracts.hours import Hours, TimeZone
from contracts.ids import BayId, BoardId, DeviceId, Gln, Gtin, SlotId, StoreId, WallId
from contracts.money import AMOUNT_MINOR_MAX, Currency, VatRate
from contracts.units import Grams, Metres, PositiveMetres
from contracts.wall import Wall

__all__ = [
    "Floor",
    "LabelPicture",
    "Node",
    "Packaging",
    "Product",
    "Shape",
    "Slot",
    "StoreFile",
    "Wallet",
    "load_store_file",
    "parse_store_file",
]

STORE_FILE_BYTES_MAX = 4_000_000

# Both are safe loaders; the one in C reads a large store file ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Rgb = tuple[
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
    Annotated[int, Field(ge=0, le=255)],
]


def _below(path: str) -> str:
    """Pictures travel with their store file, so they lie beside or below it."""
    parts = path.replace("\\", "/").split("/")
    if path.startswith(("/", "\\")) or ":" in parts[0] or ".." in parts:
        raise ValueError(
            f"expected a path below the store file's folder, such as photos/{parts[-1]}, got {path}"
        )
    return path


PicturePath = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_below)]


class Floor(Contract):
    """The sales floor: a rectangle from (0, 0) to (width, depth)."""

    width_m: PositiveMetres
    depth_m: PositiveMetres
    ceiling_m: PositiveMetres


Shape = Literal[
    "box", "can", "bottle",
    "bag", "pouch", "jar", "tub", "carton", "clear_bottle", "tray", "tube", "net", "lump",
]  # fmt: skip
LabelPicture = Literal[
    "fruit", "berry", "citrus", "tomato", "leaf", "wheat", "biscuit", "chocolate",
    "bean", "nut", "cow", "cheese", "egg", "fish", "drop", "flower",
]  # fmt: skip


class Packaging(Contract):
    """How a product looks: enough for the simulator to draw it, ignored by the hub.

    Width goes along the shelf, depth into it. A bag is a pillow bag, a pouch stands on its own
    bottom, a carton has a gable top, a tray has a film over it, a tube stands on its cap, a lump
    is no packaging at all.
    """

    shape: Shape
    width_m: Annotated[PositiveMetres, Field(le=0.6)]
    depth_m: Annotated[PositiveMetres, Field(le=0.6)]
    height_m: Annotated[PositiveMetres, Field(le=0.6)]
    base_rgb: Rgb
    accent_rgb: Rgb
    motif: Literal["plain", "stripes", "dots", "rings", "leaf", "star", "wave", "checks"] = "plain"
    cap_rgb: Rgb | None = None
    picture: Annotated[
        LabelPicture | None, Field(description="what the label shows of the content")
    ] = None
    fill_rgb: Annotated[
        Rgb | None, Field(description="the content where a clear packaging shows it")
    ] = None


class Product(Contract):
    """An article of the store. `weight_g` is the gross weight a plate sees.

    `pictures` are photos of it that it is recognised by; `packaging` is what the simulator draws.
    """

    gtin: Gtin
    name: Annotated[str, Field(min_length=1, max_length=80)]
    brand: Annotated[str, Field(min_length=1, max_length=40)]
    size_label: Annotated[str, Field(min_length=1, max_length=20)]
    weight_g: Annotated[Grams, Field(gt=0)]
    weight_sd_g: Annotated[Grams, Field(ge=0)]
    price_minor: Annotated[int, Field(ge=0, le=AMOUNT_MINOR_MAX)]
    vat: Annotated[str, Field(description="a key of vat_rates")]
    packaging: Packaging
    pictures: Annotated[
        tuple[PicturePath, ...],
        Field(max_length=16, description="photos of it, as paths from the store file's folder"),
    ] = ()
    age_min: Annotated[
        int | None,
        Field(ge=1, le=99, description="nobody younger may buy it: staff must have seen an ID"),
    ] = None
    sale_hours: Annotated[
        tuple[Hours, ...],
        Field(max_length=14, description="when it may be sold, in the store's zone; empty: always"),
    ] = ()


class Slot(Contract):
    """A stretch of one board that holds one product: the planogram's line."""

    slot_id: SlotId
    bay_id: BayId
    board_id: BoardId
    u0_m: Metres
    u1_m: Metres
    gtin: Gtin
    facings: Annotated[int, Field(ge=1, le=60, description="items side by side")]
    deep: Annotated[int, Field(ge=1, le=30, description="items one behind the other")]
    low_at: Annotated[
        int | None,
        Field(ge=1, le=1_800, description="so many pieces or fewer are low; fewer than it holds"),
    ] = None


class Node(Contract):
    """Which sensors one edge node serves. Exactly one node has the role `floor` where there are
    bays."""

    node_id: DeviceId
    floor: bool = False
    bays: tuple[BayId, ...] = ()
    gates: bool = False
    walls: tuple[WallId, ...] = ()


class Wallet(Contract):
    """What a shopper's wallet is asked for, and what it may do. Amounts are minor units, times
    seconds. What is left out is off: a hold at entry, a capture at settlement, nothing else."""

    hold_minor: Annotated[
        int, Field(gt=0, le=AMOUNT_MINOR_MAX, description="reserved when a shopper enters")
    ]
    topup_minor: Annotated[
        int,
        Field(ge=0, le=AMOUNT_MINOR_MAX, description="an extra hold is at least so much; 0: none"),
    ] = 0
    topup_margin_minor: Annotated[
        int,
        Field(ge=0, le=AMOUNT_MINOR_MAX, description="asked when less than so much is left"),
    ] = 0
    topups_max: Annotated[int, Field(ge=1, le=20, description="extra holds in one visit")] = 5
    reauthorise: Annotated[
        bool, Field(description="a hold that ran out before its capture is asked anew, once")
    ] = False
    debt_block_minor: Annotated[
        int | None,
        Field(ge=0, le=AMOUNT_MINOR_MAX, description="who owes more is refused; none: nobody is"),
    ] = None
    after_dispute: Annotated[
        Literal["block", "debt", "nothing"],
        Field(
            description="who disputes a payment at the bank: not let in until staff decide; owes "
            "what the bank keeps; nothing"
        ),
    ] = "block"
    tab_visit_minor_max: Annotated[
        int,
        Field(ge=0, le=AMOUNT_MINOR_MAX, description="so small a charge waits on the tab; 0: off"),
    ] = 0
    tab_minor_max: Annotated[
        int, Field(gt=0, le=AMOUNT_MINOR_MAX, description="a tab of so much is captured")
    ] = 2_000
    tab_age_s: Annotated[
        float, Field(gt=0, le=366 * 86_400, description="and one that is so old")
    ] = 7 * 86_400.0
    tip_minor_max: Annotated[
        int, Field(ge=0, le=AMOUNT_MINOR_MAX, description="the largest tip; 0: no tips")
    ] = 0
    tip_window_s: Annotated[
        float, Field(gt=0, le=30 * 86_400, description="a tip may be given so long after the exit")
    ] = 3_600.0
    balance_minor_max: Annotated[
        int, Field(gt=0, le=AMOUNT_MINOR_MAX, description="the largest stored balance")
    ] = 50_000


class StoreFile(Contract):
    """A whole store. Every cross reference is checked.

    `time_zone` is what hours of sale and offers are told in. `gln` is the store's GS1 location
    number, which names it in EPCIS; without one a URN of its own does. `walls` are where parcels
    wait; a store that has walls need not have anything else (a delivery van has not).
    """

    schema_version: Literal[1]
    store_id: StoreId
    name: Annotated[str, Field(min_length=1, max_length=80)]
    currency: Currency
    time_zone: TimeZone = "UTC"
    gln: Gln | None = None
    vat_rates: dict[str, VatRate]
    wallet: Wallet
    floor: Floor
    bays: Annotated[tuple[Bay, ...], Field(max_length=500)] = ()
    plates: Annotated[tuple[Plate, ...], Field(max_length=5000)] = ()
    cameras: Annotated[tuple[Camera, ...], Field(max_length=500)] = ()
    gates: Annotated[tuple[Gate, ...], Field(max_length=50)] = ()
    walls: Annotated[tuple[Wall, ...], Field(max_length=50)] = ()
    nodes: Annotated[tuple[Node, ...], Field(min_length=1, max_length=200)]
    products: Annotated[tuple[Product, ...], Field(max_length=100_000)] = ()
    slots: Annotated[tuple[Slot, ...], Field(max_length=100_000)] = ()

    def product(self, gtin: str) -> Product:
        """The product of a GTIN; KeyError if the store does not sell it."""
        for product in self.products:
            if product.gtin == gtin:
                return product
        raise KeyError(f"expected a GTIN of store {self.store_id}, got {gtin}")

    def vat_rate(self, product: Product) -> Decimal:
        """The VAT rate of a product."""
        return self.vat_rates[product.vat]

    @model_validator(mode="after")
    def _references_hold(self) -> StoreFile:
        faults = [
            *_unique_faults(self),
            *_reference_faults(self),
            *_layout_faults(self),
            *_wall_faults(self),
        ]
        if faults:
            raise ValueError("; ".join(faults[:20]))
        return self


def _unique_faults(store: StoreFile) -> list[str]:
    faults = []
    named: tuple[tuple[str, list[str]], ...] = (
        ("bays.bay_id", [bay.bay_id for bay in store.bays]),
        ("bays.boards.board_id", [board.board_id for bay in store.bays for board in bay.boards]),
        ("plates.plate_id", [plate.plate_id for plate in store.plates]),
        (
            "cameras.camera_id",
            [camera.camera_id for camera in store.cameras]
            + [camera.camera_id for wall in store.walls for camera in wall.cameras],
        ),
        ("walls.wall_id", [wall.wall_id for wall in store.walls]),
        ("walls.scanners", [one for wall in store.walls for one in wall.scanners]),
        (
            "walls.projectors.projector_id",
            [one.projector_id for wall in store.walls for one in wall.projectors],
        ),
        ("gates.gate_id", [gate.gate_id for gate in store.gates]),
        ("nodes.node_id", [node.node_id for node in store.nodes]),
        ("products.gtin", [product.gtin for product in store.products]),
        ("slots.slot_id", [slot.slot_id for slot in store.slots]),
    )
    for field, values in named:
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            faults.append(f"{field}: expected each once, got {', '.join(twice)} more than once")
    return faults


def _reference_faults(store: StoreFile) -> list[str]:
    boards = {(bay.bay_id, board.board_id) for bay in store.bays for board in bay.boards}
    bays = {bay.bay_id for bay in store.bays}
    gtins = {product.gtin for product in store.products}
    faults = []
    for index, product in enumerate(store.products):
        if product.vat not in store.vat_rates:
            faults.append(
                f"products.{index}.vat: expected one of {sorted(store.vat_rates)}, "
                f"got {product.vat!r}"
            )
    for index, slot in enumerate(store.slots):
        if slot.gtin not in gtins:
            faults.append(f"slots.{index}.gtin: unknown GTIN {slot.gtin}, add it to products")
        if (slot.bay_id, slot.board_id) not in boards:
            faults.append(f"slots.{index}.board_id: no board {slot.board_id} in bay {slot.bay_id}")
    for index, plate in enumerate(store.plates):
        if (plate.bay_id, plate.board_id) not in boards:
            faults.append(
                f"plates.{index}.board_id: no board {plate.board_id} in bay {plate.bay_id}"
            )
    for index, camera in enumerate(store.cameras):
        if camera.bay_id is not None and camera.bay_id not in bays:
            faults.append(f"cameras.{index}.bay_id: no bay {camera.bay_id}")
    return faults


def _layout_faults(store: StoreFile) -> list[str]:
    faults = []
    widths = {bay.bay_id: bay.width_m for bay in store.bays}
    for index, slot in enumerate(store.slots):
        width_m = widths.get(slot.bay_id)
        if not slot.u0_m < slot.u1_m or (width_m is not None and slot.u1_m > width_m + 1e-6):
            faults.append(
                f"slots.{index}.u1_m: expected {slot.u0_m} < u1_m <= {width_m}, got {slot.u1_m}"
            )
        if slot.low_at is not None and slot.low_at >= slot.facings * slot.deep:
            faults.append(
                f"slots.{index}.low_at: expected fewer than the {slot.facings * slot.deep} pieces "
                f"the slot holds, got {slot.low_at}"
            )
    faults += [*_role_faults(store)] if store.bays or not store.walls else []
    return faults


def _role_faults(store: StoreFile) -> list[str]:
    """What a store that people walk through must have."""
    faults = [
        f"{name}: expected at least one, got none; only a store of nothing but walls has none"
        for name in ("bays", "products", "slots")
        if not getattr(store, name)
    ]
    floors = [node.node_id for node in store.nodes if node.floor]
    if len(floors) != 1:
        faults.append(f"nodes.floor: expected exactly one node with floor: true, got {floors}")
    if not any(node.gates for node in store.nodes):
        faults.append("nodes.gates: expected a node with gates: true, got none")
    served = [bay_id for node in store.nodes for bay_id in node.bays]
    expected = sorted(bay.bay_id for bay in store.bays)
    if sorted(served) != expected:
        faults.append(
            f"nodes.bays: expected each bay in exactly one node, {expected}, got {sorted(served)}"
        )
    for kind in ("entry", "exit"):
        if not any(gate.kind == kind for gate in store.gates):
            faults.append(f"gates.kind: expected at least one {kind} gate, got none")
    return faults


def _wall_faults(store: StoreFile) -> list[str]:
    faults = [
        f"cameras.{index}.role: expected shelf or ceiling, got wall; a wall's cameras stand in the "
        "wall"
        for index, camera in enumerate(store.cameras)
        if camera.role == "wall"
    ]
    served = sorted(wall_id for node in store.nodes for wall_id in node.walls)
    expected = sorted(wall.wall_id for wall in store.walls)
    if served != expected:
        faults.append(
            f"nodes.walls: expected each wall in exactly one node, {expected}, got {served}"
        )
    return faults


def load_store_file(path: Path) -> StoreFile:
    """Reads and validates a store file; StoreFileError names file, line and field."""
    try:
        size = path.stat().st_size
        if size > STORE_FILE_BYTES_MAX:
            raise StoreFileError(
                f"{path}: expected at most {STORE_FILE_BYTES_MAX} bytes, got {size}"
            )
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise StoreFileError(f"{path}: cannot be read ({error.strerror}); give a YAML file") from (
            error
        )
    except UnicodeDecodeError as error:
        raise StoreFileError(f"{path}: expected UTF-8 text, got bytes that are not") from error
    return parse_store_file(text, name=str(path))


def parse_store_file(text: str, *, name: str) -> StoreFile:
    """Validates the text of a store file; `name` stands in the error messages."""
    try:
        nodes = yaml.compose(text, Loader=_LOADER)
        document = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise StoreFileError(f"{name}{line}: not YAML: {problem}") from error
    if not isinstance(document, dict):
        raise StoreFileError(
            f"{name}:1: expected a mapping with schema_version: 1, got {type(document).__name__}"
        )
    try:
        return StoreFile.model_validate(document)
    except ValidationError as error:
        faults = [line for fault in error.errors()[:20] for line in _faults(name, nodes, fault)]
        raise StoreFileError("\n".join(faults)) from error


def _faults(name: str, root: yaml.Node | None, fault: Any) -> list[str]:
    """One line of text for each fault; faults of the whole document name their field themselves."""
    path = list(fault["loc"])
    message = str(fault["msg"]).removeprefix("Value error, ")
    if not path:
        return [
            f"{name}:{_line_of(root, _path_in_message(part))}: {part}"
            for part in message.split("; ")
        ]
    got = fault.get("input")
    shown = "" if isinstance(got, dict | list | tuple) else f", got {got!r}"
    field = ".".join(str(part) for part in path)
    return [f"{name}:{_line_of(root, path)}: {field}: {message}{shown}"]


def _path_in_message(message: str) -> list[str | int]:
    head = message.split(":", 1)[0]
    return [int(part) if part.isdigit() else part for part in head.split(".")]


def _line_of(node: yaml.Node | None, path: list[str | int]) -> int:
    """The line of the deepest node of the path that the document has."""
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(key, value) for key, value in node.value if key.value == str(part)]
            if not found:
                return line
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                return line
            node = node.value[part]
            line = node.start_mark.line + 1
        else:
            return line
    return line
