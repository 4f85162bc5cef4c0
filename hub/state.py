"""All that the hub's rules know at one moment, and the two ways they speak: events and asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts.store_file import StoreFile
from hub.attribution.model import Article, Attributor, Decision, Ground, Shelf
from hub.carts.model import Carts
from hub.catalog.model import Catalog
from hub.devices.model import Devices
from hub.effects import Attempt, Effects, EventLog
from hub.errors import UnknownVisitError
from hub.events import written
from hub.inventory.model import Stock
from hub.inventory.shelves import Facing, Shelves
from hub.levels import (
    DOUBT_NOBODY_LEVEL,
    DOUBT_RETURN_LEVEL,
    NAMED_LATE_LEVEL,
    NARROW_LEVEL,
)
from hub.parcels.model import Parcels
from hub.review.model import Aftercare
from hub.rules import Rules
from hub.visits.commands import CodeJudged
from hub.visits.floor import Floor
from hub.visits.gates import Exit, exits_of
from hub.visits.model import Visit
from hub.wallet.bank import Chargeback
from hub.wallet.gateway import GatewayRequest
from hub.wallet.model import Ledger
from hub.wallet.service import Wallets

__all__ = ["Ask", "AttributorFactory", "HubState", "NearReach", "decision_data", "ground_of"]

AttributorFactory = Callable[[Ground], Attributor]
"""Makes an attributor for a store as it stands."""

ONCE_MAX = 20_000


@dataclass(slots=True)
class Ask:
    """A question to the gateway that has no final answer yet."""

    request: GatewayRequest
    visit_id: str
    tries: int = 1
    next_try_s: float | None = None


@dataclass(frozen=True, slots=True)
class NearReach:
    """A reach that may still change a cart: open, or closed and not decided. Hub seconds."""

    reach_id: str
    device_id: str
    boot_id: str
    bay_id: str
    t_open_s: float
    t_close_s: float | None
    heard_s: float


@dataclass(slots=True)
class HubState:
    """The mutable heart of `HubCore`; services change it, the core owns it.

    `by_code` goes by the SHA-256 of unsigned codes, `badges` by that of badges; `judged` by the
    message that carries the scan; `tagged` from a body to the gate and time it tagged along.
    """

    store: StoreFile
    rules: Rules
    factory: AttributorFactory
    catalog: Catalog
    stock: Stock
    shelves: Shelves
    devices: Devices
    floor: Floor
    carts: Carts
    wallets: Wallets
    attributor: Attributor
    log: EventLog
    now_s: float = 0.0
    effects: Effects = field(default_factory=Effects)
    visits: dict[str, Visit] = field(default_factory=dict)
    live: dict[str, Visit] = field(default_factory=dict)
    coming: dict[str, Visit] = field(default_factory=dict)
    """Visits that may have a body which was let in and is not bound to a track yet."""
    by_token: dict[str, str] = field(default_factory=dict)
    by_code: dict[str, str] = field(default_factory=dict)
    asks: dict[str, Ask] = field(default_factory=dict)
    reaches: dict[str, NearReach] = field(default_factory=dict)
    undated: dict[str, NearReach] = field(default_factory=dict)
    """Reaches of which nobody knows more than that they were not later. See hub.visits.undated."""
    blind: dict[tuple[str, str], str] = field(default_factory=dict)
    counters: dict[str, int] = field(default_factory=dict)
    level: int = 0
    judged: dict[tuple[str, str, int], CodeJudged] = field(default_factory=dict)
    badges: dict[str, str] = field(default_factory=dict)
    tagged: dict[str, tuple[str, float]] = field(default_factory=dict)
    guesses: dict[str, list[float]] = field(default_factory=dict)
    once: dict[str, None] = field(default_factory=dict)
    """Keys of commands that were done and must not be done again, the oldest first."""
    aftercare: Aftercare = field(default_factory=Aftercare)
    told: dict[str, str] = field(default_factory=dict)
    chargebacks: dict[str, Chargeback] = field(default_factory=dict)
    """What payers dispute at their banks, by the gateway's name of it."""
    parked: dict[str, str] = field(default_factory=dict)
    """Refunds that the hub will ask about again by itself, to their visits."""
    by_place: bool = False
    """See hub.visits.commands.SetSettling."""
    parcels: Parcels = field(default_factory=Parcels)
    floor_nodes: frozenset[str] = field(init=False)
    exits: tuple[Exit, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.exits = exits_of(self.store)
        self.floor_nodes = frozenset(node.node_id for node in self.store.nodes if node.floor)

    @classmethod
    def fresh(cls, store: StoreFile, factory: AttributorFactory, rules: Rules) -> HubState:
        """The state of a store on its first day."""
        catalog, stock, shelves = Catalog(store), Stock(store), Shelves.of(store)
        return cls(
            store=store,
            rules=rules,
            factory=factory,
            catalog=catalog,
            stock=stock,
            shelves=shelves,
            devices=Devices(
                tuple(node.node_id for node in store.nodes),
                waiting_max=rules.sequences_waiting_max,
                boots_max=rules.boots_max,
            ),
            floor=Floor(rules.tracks_max, rules.points_max),
            carts=Carts(rules.decisions_max),
            wallets=Wallets(Ledger(store.currency)),
            attributor=factory(ground_of(store, stock, shelves.planogram)),
            log=EventLog(),
        )

    def event(self, kind: str, visit_id: str | None = None, **data: object) -> None:
        """Something happened: the next row of the event log. `hub.events` names kind and fields."""
        said = written(kind, data, self.level)
        self.effects.events.append(
            self.log.append(at_s=self.now_s, kind=kind, visit_id=visit_id, data=said)
        )
        if visit_id is not None:
            self.effects.visits.add(visit_id)

    def ask(self, visit_id: str, request: GatewayRequest, *, wait_s: float = 0.0) -> None:
        """Asks the gateway; it is done after the commit, or so much later, and again until it
        answers."""
        if wait_s > 0.0:
            self.asks[request.key] = Ask(request, visit_id, 0, self.now_s + wait_s)
        else:
            self.asks[request.key] = Ask(request, visit_id)
            self.effects.asks.append(request)
        self.effects.attempts[request.key] = Attempt(request, visit_id, 1, None)

    def hold_level(self, level: int) -> None:
        """The rules of this level hold, the attributor's included."""
        self.level = level
        self.attributor.names_late = level >= NAMED_LATE_LEVEL
        self.attributor.binds_narrowly = level >= NARROW_LEVEL
        self.attributor.doubts_nobody = level >= DOUBT_NOBODY_LEVEL
        self.attributor.doubts_returns = level >= DOUBT_RETURN_LEVEL

    def count(self, name: str) -> None:
        """Counts something that should be rare."""
        self.counters[name] = self.counters.get(name, 0) + 1

    def remember(self, once_key: str) -> None:
        """A command under this key was done; beyond ONCE_MAX the oldest is forgotten."""
        self.once[once_key] = None
        while len(self.once) > ONCE_MAX:
            del self.once[next(iter(self.once))]

    def visit(self, visit_id: str) -> Visit:
        """A visit in memory; UnknownVisitError if there is none of that id."""
        visit = self.visits.get(visit_id)
        if visit is None:
            raise UnknownVisitError(f"expected a visit, got {visit_id}")
        return visit

    def visit_by_token(self, token_sha256: str) -> Visit:
        """The visit in memory that has this token; UnknownVisitError if none has."""
        visit = self.visits.get(self.by_token.get(token_sha256, ""))
        if visit is None:
            raise UnknownVisitError("expected the token of a visit, got one that is unknown")
        return visit

    def admit_visit(self, visit: Visit) -> None:
        """A visit begins, or begins again."""
        self.visits[visit.visit_id] = visit
        self.live[visit.visit_id] = visit
        self.coming[visit.visit_id] = visit

    def open_visits(self) -> list[Visit]:
        """Visits that something may still happen to, oldest first."""
        closed = [visit_id for visit_id, visit in self.live.items() if not visit.open]
        for visit_id in closed:
            del self.live[visit_id]
        return list(self.live.values())


def ground_of(store: StoreFile, stock: Stock, planogram: Mapping[str, Facing]) -> Ground:
    """The store as attribution sees it, with the stock as it is now, misplaced pieces included. Of
    a product that left the store file pieces may still lie there: nobody knows what one weighs."""
    articles = {product.gtin for product in store.products}
    slots = {slot.slot_id: slot for slot in store.slots}
    home = {(slot_id, facing.gtin) for slot_id, facing in planogram.items()}
    shelves = [
        Shelf(
            slot_id=slot_id,
            bay_id=slots[slot_id].bay_id,
            board_id=slots[slot_id].board_id,
            u0_m=slots[slot_id].u0_m,
            u1_m=slots[slot_id].u1_m,
            gtin=gtin,
            facings=planogram[slot_id].facings if (slot_id, gtin) in home else 1,
            on_hand=count,
        )
        for (slot_id, gtin), count in sorted(stock.shelf.items())
        if gtin in articles and (count > 0 or (slot_id, gtin) in home)
    ]
    return Ground(
        articles=tuple(
            Article(product.gtin, product.weight_g, product.weight_sd_g)
            for product in store.products
        ),
        shelves=tuple(shelves),
        bays=store.bays,
        plates=store.plates,
    )


def decision_data(decision: Decision) -> Mapping[str, object]:
    """A decision as an event says it; probabilities as text with six places."""
    best = decision.best
    return {
        "reach_id": decision.reach_id,
        "line": decision.line,
        "revision": decision.revision,
        "t_us": round(decision.t_s * 1e6),
        "gtin": best.gtin,
        "quantity": best.quantity,
        "slot_id": best.slot_id,
        "to_visit": best.visit_id,
        "probability": f"{best.probability:.6f}",
        "certain": decision.certain,
        "why": decision.why,
        "alternatives": [
            [choice.visit_id, choice.gtin, choice.quantity, f"{choice.probability:.6f}"]
            for choice in decision.alternatives
        ],
    }
