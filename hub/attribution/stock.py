"""Where things are: the store's layout, and the ledger of what moved from shelf to cart and back.

The planogram is live: what was put back in a wrong place is there until somebody takes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from contracts.geometry import Bay, Board, Plate
from hub.attribution.errors import BrokenGroundError
from hub.attribution.model import Article, Ground, Shelf

__all__ = ["Layout", "Ledger", "Move", "Place"]


@dataclass(frozen=True, slots=True)
class Place:
    """A slot of the planogram with its board's height range; `index` counts slots of the store.

    `gtin` is the slot's own article, `stock` what stood there at first, misplaced pieces included.
    """

    index: int
    slot_id: str
    bay_id: str
    board_id: str
    u0_m: float
    u1_m: float
    z0_m: float
    z1_m: float
    gtin: str
    stock: tuple[tuple[str, int], ...]

    @property
    def u_m(self) -> float:
        """The middle of the slot along the front."""
        return 0.5 * (self.u0_m + self.u1_m)


class Move(NamedTuple):
    """`quantity` > 0 pieces went from the place to the owner, < 0 from the owner to the place.

    `owner` is a visit id, an anonymous body (`?track`) or None for nobody known. `u_m`: where along
    the bay it was, if a sensor said so.
    """

    t_s: float
    owner: str | None
    gtin: str
    quantity: int
    place: int
    u_m: float | None = None


class Layout:
    """The static store with its indexes. Raises BrokenGroundError where it contradicts itself."""

    def __init__(self, ground: Ground) -> None:
        self.articles: dict[str, Article] = {a.gtin: a for a in ground.articles}
        self.bays: dict[str, Bay] = {bay.bay_id: bay for bay in ground.bays}
        self.plates: dict[str, Plate] = {p.plate_id: p for p in ground.plates}
        self.places: tuple[Place, ...] = tuple(self._places(ground))
        self.by_bay: dict[str, tuple[Place, ...]] = {
            bay_id: tuple(p for p in self.places if p.bay_id == bay_id) for bay_id in self.bays
        }
        self.by_board: dict[tuple[str, str], tuple[Place, ...]] = {
            (bay.bay_id, board.board_id): tuple(
                p for p in self.by_bay[bay.bay_id] if p.board_id == board.board_id
            )
            for bay in ground.bays
            for board in bay.boards
        }
        self.weighed: frozenset[tuple[str, str]] = frozenset(
            (plate.bay_id, plate.board_id) for plate in ground.plates
        )

    def _places(self, ground: Ground) -> Iterable[Place]:
        """One place per slot. A slot may have several lines: what was misplaced there has one of
        a single facing, so the line with the most facings (and pieces) is the slot's own."""
        lines: dict[str, list[Shelf]] = {}
        for index, shelf in enumerate(ground.shelves):
            self._check(index, shelf)
            lines.setdefault(shelf.slot_id, []).append(shelf)
        for index, shelves in enumerate(lines.values()):
            home = max(shelves, key=lambda shelf: (shelf.facings, shelf.on_hand))
            board = self._board(home)
            yield Place(
                index=index,
                slot_id=home.slot_id,
                bay_id=home.bay_id,
                board_id=home.board_id,
                u0_m=home.u0_m,
                u1_m=home.u1_m,
                z0_m=board.z_m,
                z1_m=board.z_m + board.clearance_m,
                gtin=home.gtin,
                stock=tuple(sorted((shelf.gtin, shelf.on_hand) for shelf in shelves)),
            )

    def _board(self, shelf: Shelf) -> Board:
        boards = self.bays[shelf.bay_id].boards
        return next(board for board in boards if board.board_id == shelf.board_id)

    def _check(self, index: int, shelf: Shelf) -> None:
        bay = self.bays.get(shelf.bay_id)
        if bay is None:
            raise BrokenGroundError(
                f"shelves.{index}.bay_id: expected one of {sorted(self.bays)}, got "
                f"{shelf.bay_id}; add the bay"
            )
        if all(board.board_id != shelf.board_id for board in bay.boards):
            raise BrokenGroundError(
                f"shelves.{index}.board_id: expected a board of {bay.bay_id}, got {shelf.board_id}"
            )
        if shelf.gtin not in self.articles:
            raise BrokenGroundError(
                f"shelves.{index}.gtin: expected an article, got {shelf.gtin}; add its weight"
            )

    def nearest(self, bay_id: str, board_id: str, u_m: float) -> Place | None:
        """The slot of a board at u, or the one nearest to it."""
        places = self.by_board.get((bay_id, board_id), ())
        if not places:
            return None
        return min(places, key=lambda p: (max(p.u0_m - u_m, u_m - p.u1_m, 0.0), p.index))


class Ledger:
    """What has been settled: moves in time order per cart line and per shelf line.

    Carts are asked for what can still leave them at a time: a later settled put-back binds the
    piece it took, so the answer is the least balance from that time on.
    """

    def __init__(self, layout: Layout) -> None:
        self._base: dict[tuple[int, str], int] = {
            (place.index, gtin): count for place in layout.places for gtin, count in place.stock
        }
        self._carts: dict[tuple[str | None, str], list[tuple[float, int]]] = {}
        self._shelves: dict[tuple[int, str], list[tuple[float, int]]] = {}
        self._strays: dict[int, set[str]] = {}
        self._put: dict[tuple[int, str], tuple[float, float]] = {}
        for place in layout.places:
            for gtin, _ in place.stock:
                if gtin != place.gtin:
                    self._strays.setdefault(place.index, set()).add(gtin)

    def add(self, move: Move) -> None:
        """Settles a move."""
        if move.owner is not None:
            self._carts.setdefault((move.owner, move.gtin), []).append((move.t_s, move.quantity))
            self._carts[move.owner, move.gtin].sort()
        key = (move.place, move.gtin)
        self._shelves.setdefault(key, []).append((move.t_s, -move.quantity))
        self._shelves[key].sort()
        if key not in self._base:
            self._strays.setdefault(move.place, set()).add(move.gtin)
        if move.quantity < 0 and move.u_m is not None:
            self._put[key] = max(self._put.get(key, (move.t_s, move.u_m)), (move.t_s, move.u_m))

    def held(self, owner: str | None, gtin: str, t_s: float) -> int:
        """Pieces that can leave the cart at `t_s` without it being short at any later time."""
        balance = 0
        least: int | None = None
        for at_s, quantity in self._carts.get((owner, gtin), ()):
            if at_s > t_s and least is None:
                least = balance
            balance += quantity
            if least is not None:
                least = min(least, balance)
        return balance if least is None else least

    def balance(self, owner: str | None, gtin: str) -> int:
        """Pieces in the cart after all that is settled."""
        return sum(quantity for _, quantity in self._carts.get((owner, gtin), ()))

    def gtins_of(self, owner: str | None) -> list[str]:
        """Articles the owner ever took, sorted."""
        return sorted(gtin for who, gtin in self._carts if who == owner)

    def stock(self, place: int, gtin: str, t_s: float) -> int:
        """Pieces of an article believed at a place just before `t_s`."""
        moved = sum(q for at_s, q in self._shelves.get((place, gtin), ()) if at_s < t_s)
        return self._base.get((place, gtin), 0) + moved

    def put_at(self, place: int, gtin: str) -> float | None:
        """Where along the bay an article was last put at a place, if that is known."""
        put = self._put.get((place, gtin))
        return None if put is None else put[1]

    def strays_at(self, place: int) -> list[str]:
        """Articles that were put where the planogram does not have them, sorted."""
        return sorted(self._strays.get(place, ()))

    def rename(self, owner: str, to: str, since_s: float) -> None:
        """An anonymous body turned out to be a visit from a time on."""
        for who, gtin in [key for key in self._carts if key[0] == owner]:
            moves = self._carts.pop((who, gtin))
            before = [move for move in moves if move[0] < since_s]
            if before:
                self._carts[who, gtin] = before
            if len(before) < len(moves):
                self._carts.setdefault((to, gtin), []).extend(moves[len(before) :])
                self._carts[to, gtin].sort()

    def forget(self, owner: str) -> None:
        """Drops an owner's cart; what they moved on the shelves stays."""
        for key in [key for key in self._carts if key[0] == owner]:
            del self._carts[key]

    def compact(self, before_s: float) -> None:
        """Folds shelf moves older than `before_s` into the base counts: memory stays bounded."""
        for key in list(self._shelves):
            old = [q for at_s, q in self._shelves[key] if at_s < before_s]
            if not old:
                continue
            self._base[key] = self._base.get(key, 0) + sum(old)
            rest = [entry for entry in self._shelves[key] if entry[0] >= before_s]
            if rest:
                self._shelves[key] = rest
                continue
            del self._shelves[key]
            place, gtin = key
            if gtin in self._strays.get(place, ()) and self._base[key] <= 0:
                self._strays[place].discard(gtin)
                self._put.pop(key, None)
                del self._base[key]

    @property
    def size(self) -> int:
        """Entries in memory."""
        return sum(len(m) for m in self._carts.values()) + sum(
            len(m) for m in self._shelves.values()
        )
