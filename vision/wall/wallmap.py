"""What stands at a wall, put together from all its cameras, and what of it is news.

Pure: observations and times in, contracts.wall_messages.Thing out. A thing keeps its id while any
camera follows it, when it is put down elsewhere and read again, and over a restart if it still
stands there with its label.

>>> from vision.wall.wallmap import WallMap
>>> WallMap("wall-1", "wall-1").step(0.0, ())
()
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from contracts.labels import label_key
from contracts.wall import Wall
from contracts.wall_messages import LabelRead, Thing
from vision.errors import VisionError
from vision.wall.boxes import apart, holds, middle, size
from vision.wall.middle import label_of, mark_of
from vision.wall.rays import at_depth, depth_of
from vision.wall.records import Corners, Sight, SightState, WallObservation

__all__ = ["FRESH_S", "WallMap"]

MOVED_M = 0.008
"""A thing that moved less is no news."""
MARK_MOVED_M = 0.002
"""Where its mark belongs is."""
SIZE_M = 0.02
NEAR_M = 0.05
"""Two cameras that have a thing within this, and three deviations, see the same one."""
RESTORED_S = 20.0
"""After a restart a thing that no camera has found for so long is gone."""
GONE_S = 3600.0
THINGS_MAX = 256
TWINS_MAX = 16
FRESH_S = 3.0
"""A camera that has not been heard of for so long sees nothing."""


@dataclass(slots=True, eq=False)
class _Thing:
    thing_id: str
    sights: dict[str, Sight] = field(default_factory=dict)
    joined: tuple[Sight, ...] = ()
    label_m: Corners | None = None
    last: Thing | None = None
    told: Thing | None = None
    restored_s: float | None = None
    lost_s: float | None = None
    stood_s: dict[str, float] = field(default_factory=dict)
    """When each camera last saw it stand, its label included."""

    def refuted(self, camera: str, left: Sight) -> bool:
        """Whether another camera saw it stand there later than this one says that it left."""
        return any(at_s > left.since_s for name, at_s in self.stood_s.items() if name != camera)

    def left_from(self, camera: str, sight: Sight) -> bool:
        """Whether a camera saw it leave. One that is refuted knows nothing of where it stands, and
        finds it as one that is new to it."""
        if sight.state != "gone":
            return False
        wrong = self.refuted(camera, sight)
        if wrong:
            self.stood_s.pop(camera, None)
        return not wrong

    def stays_without(self, camera: str, sight: Sight) -> bool:
        """Whether what a camera still sees there is what stood beside it: its label is not there,
        and since it was another camera has seen the thing leave."""
        stood_s = self.stood_s.get(camera, -math.inf)
        return sight.doubted and any(
            one.state != "stands" and one.since_s > stood_s for one in self.sights.values()
        )

    def comes_in_sight(self, camera: str, moving: Sight) -> bool:
        """Whether what a camera sees move is only new to it, or was put down in another's sight: it
        stands where others had it, and what was in front of it moves."""
        last = self.last
        stands = camera not in self.stood_s or self.refuted(camera, moving)
        if not stands or last is None or last.state != "stands":
            return False
        return apart(last.outline_m, at_depth(moving, last.v_m)) < NEAR_M + 3.0 * last.sd_m


class WallMap:
    """The things of one wall; ids are PREFIX:1, PREFIX:2 and so on."""

    def __init__(self, wall: Wall | str, prefix: str) -> None:
        self.wall_id = wall if isinstance(wall, str) else wall.wall_id
        self._prefix = prefix
        self._next = 1
        self._things: list[_Thing] = []
        self._blind: dict[str, str] = {}
        self._heard: dict[str, float] = {}
        self._joined_anew = False

    @property
    def blind(self) -> Mapping[str, str]:
        """Cameras that see nothing, and why."""
        return self._blind

    def step(self, now_s: float, observations: Sequence[WallObservation]) -> tuple[Thing, ...]:
        """Takes what cameras saw; the things of which something is new."""
        for one in sorted(observations, key=lambda one: (one.t_s, one.camera_id)):
            if one.wall_id != self.wall_id:
                continue
            self._heard[one.camera_id] = one.t_s
            if one.blind is not None:
                self._blind[one.camera_id] = one.blind
                continue
            self._blind.pop(one.camera_id, None)
            self._take(one)
        self._joined_anew = False
        for thing in self._things:
            self._join(thing, now_s)
        if self._joined_anew:
            self._twins()
            self._marks()
        self._forget(now_s)
        return tuple(self._news(now_s))

    def things(self) -> tuple[Thing, ...]:
        """All things there are, those that are gone left out."""
        return tuple(
            one.last for one in self._things if one.last is not None and one.last.state != "gone"
        )

    # ------------------------------------------------------------------ whose sight is it

    def _take(self, seen: WallObservation) -> None:
        camera = seen.camera_id
        known = {
            thing.sights[camera].sight_id: thing for thing in self._things if camera in thing.sights
        }
        present = {one.sight_id for one in seen.sights}
        for sight_id, thing in known.items():
            if sight_id not in present:
                del thing.sights[camera]
        fresh = []
        for sight in seen.sights:
            if sight.sight_id in known:
                known[sight.sight_id].sights[camera] = sight
            else:
                fresh.append(sight)
        # Those with a label find their thing first, the others take what is left by position.
        for sight in sorted(fresh, key=lambda one: (one.text is None, one.sight_id)):
            owner = self._whose(camera, sight)
            if owner is None:
                if sight.state == "gone":
                    continue
                owner = _Thing(f"{self._prefix}:{self._next}")
                self._next += 1
                self._things.append(owner)
            owner.restored_s = None
            owner.sights[camera] = sight
        self._split(camera)

    def _whose(self, camera: str, sight: Sight) -> _Thing | None:
        """The thing that a camera's new sight shows: of the same label and near, or missing."""
        best: _Thing | None = None
        rank = (9, math.inf)
        for thing in self._things:
            held = thing.sights.get(camera)
            if held is not None and held.state == "gone":
                held = None
            if held is not None and held.text is not None:
                continue
            match = _match(thing, sight)
            # What it has there without a label is the top or the side of what has the same label.
            if match is not None and match < rank and (held is None or match[0] == 0):
                best, rank = thing, match
        return best

    def _split(self, camera: str) -> None:
        """Cameras that turn out to follow different labels under one thing part again."""
        for thing in list(self._things):
            sight = thing.sights.get(camera)
            if sight is None or sight.text is None or len(thing.sights) < 2:
                continue
            key = label_key(sight.text)
            others = [one.text for name, one in thing.sights.items() if name != camera and one.text]
            if others and all(label_key(text) != key for text in others):
                del thing.sights[camera]
                apart = _Thing(f"{self._prefix}:{self._next}", {camera: sight})
                self._next += 1
                self._things.append(apart)

    # ------------------------------------------------------------------ one thing of many sights

    def _join(self, thing: _Thing, now_s: float) -> None:
        sights = {
            name: one
            for name, one in thing.sights.items()
            if name not in self._blind and now_s - self._heard.get(name, -math.inf) <= FRESH_S
        }
        if not sights:
            thing.joined = ()
            self._unseen(thing, now_s)
            return
        thing.lost_s = None
        # Steps come far more often than pictures: what has been put together stays.
        joined = tuple(sights.values())
        if joined == thing.joined:
            return
        thing.joined, self._joined_anew = joined, True
        standing, hidden = [], []
        for name, one in sights.items():
            if one.state == "stands" and (one.hidden or thing.stays_without(name, one)):
                hidden.append(one)
            elif one.state == "stands":
                standing.append(one)
                if not one.doubted:
                    thing.stood_s[name] = one.seen_s
        moving = [
            one
            for name, one in sights.items()
            if one.state == "moves" and not thing.comes_in_sight(name, one)
        ]
        gone = [one for name, one in sights.items() if thing.left_from(name, one)]
        # Who sees the place without the thing knows more than who cannot see the place.
        told = standing or moving or gone or hidden
        if not told:
            self._unseen(thing, now_s)
            return
        state = told[0].state
        placed, meet = told, told
        if standing:
            # Who has just lost sight of it, or takes what moves before it for it, knows as well
            # where it stands.
            stood_s = max(one.since_s for one in standing)
            placed = standing + [one for one in hidden if one.seen_s >= stood_s]
            meet = placed + [one for one in moving if one.seen_s >= stood_s]
        best = min(placed, key=lambda one: one.sd_m)
        label = _label(list(sights.values()))
        outline, v_m, sd_m = best.outline_m, best.v_m, best.sd_m
        read = [one for one in meet if one.text is not None]
        depth = depth_of(read) if state != "gone" else None
        if depth is not None:
            outline = at_depth(best, depth[0])
            v_m, sd_m = depth[0], max(0.002, min(sd_m, math.hypot(0.003, depth[1])))
        before = thing.last
        if depth is None and standing and before is not None and _stayed(before, best):
            outline, v_m, sd_m = at_depth(best, before.v_m), before.v_m, before.sd_m
        thing.label_m = label_of(placed, v_m)
        since_s = max(one.since_s for one in told)
        if before is not None and before.state == state:
            since_s = before.since_s
        thing.last = Thing(
            thing_id=thing.thing_id,
            state=state,
            hidden=state == "stands" and not standing,
            label=label,
            contested=any(one.contested for one in sights.values()),
            outline_m=outline[:8],
            v_m=v_m,
            sd_m=max(sd_m, 1e-4),
            since_s=since_s,
            seen_s=max(one.seen_s for one in sights.values()),
        )

    def _unseen(self, thing: _Thing, now_s: float) -> None:
        """No camera knows of it. Blind cameras say nothing about it; cameras that see, and have
        dropped it, or have not found it again after a restart, say that it is gone."""
        before = thing.last
        if before is None or before.state == "gone":
            return
        state: SightState = before.state
        since_s, hidden = before.since_s, True
        if not thing.sights and len(self._blind) < len(self._heard):
            if thing.restored_s is not None:
                lost = now_s - thing.restored_s > RESTORED_S
            else:
                thing.lost_s = now_s if thing.lost_s is None else thing.lost_s
                lost = now_s - thing.lost_s > 1.0
            if lost:
                state, since_s, hidden = "gone", now_s, False
        elif state == "moves":
            hidden = False
        self._joined_anew = True
        thing.last = before.model_copy(
            update={"state": state, "since_s": since_s, "hidden": hidden and state == "stands"}
        )

    def _twins(self) -> None:
        by_key: dict[str, list[_Thing]] = {}
        for thing in self._things:
            last = thing.last
            if last is not None and last.state != "gone" and last.label is not None:
                by_key.setdefault(label_key(last.label.text), []).append(thing)
        twins = {
            one.thing_id: tuple(o.thing_id for o in same if o is not one)[:TWINS_MAX]
            for same in by_key.values()
            for one in same
        }
        for thing in self._things:
            if thing.last is None:
                continue
            others = twins.get(thing.thing_id, ())
            if others != thing.last.twins:
                thing.last = thing.last.model_copy(update={"twins": others})

    def _marks(self) -> None:
        """Where marks belong on the faces of all that has a label, and not on its neighbours'."""
        known = [(one, one.last, one.label_m) for one in self._things if one.last and one.label_m]
        for thing, last, label in known:
            others = [at for one, now, at in known if one is not thing and now.state == "stands"]
            mark = mark_of(last.outline_m, label, others)
            if mark != last.mark_m:
                thing.last = last.model_copy(update={"mark_m": mark})

    def _forget(self, now_s: float) -> None:
        def keeps(one: _Thing) -> bool:
            if one.last is None:
                return bool(one.sights)
            return one.last.state != "gone" or now_s - one.last.since_s < GONE_S or one.told is None

        self._things = [one for one in self._things if keeps(one)]
        if len(self._things) > THINGS_MAX:
            self._things.sort(key=lambda one: one.last is None or one.last.state != "gone")
            self._things = self._things[-THINGS_MAX:]

    def _news(self, now_s: float) -> list[Thing]:
        news = []
        for thing in self._things:
            last, told = thing.last, thing.told
            if last is None or (told is None and last.state == "gone"):
                continue
            if told is None or _differs(last, told):
                thing.told = last
                news.append(last)
        return news

    # ------------------------------------------------------------------ over a restart

    def snapshot(self) -> dict[str, Any]:
        """Plain values that JSON can hold: things that are not gone, and the next number."""
        return {
            "next": self._next,
            "things": [one.model_dump(mode="json") for one in self.things()],
        }

    def restore(self, state: Mapping[str, Any], *, now_s: float) -> None:
        """Takes up what `snapshot` gave: its things are hidden until a camera finds them, and gone
        if none does. VisionError if it is none."""
        try:
            things = [Thing.model_validate(one) for one in state["things"]]
            first = int(state["next"])
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise VisionError(
                f"expected a snapshot of wall {self.wall_id} with things and next, got "
                f"{sorted(state)}; start without it"
            ) from error
        self._next = max(self._next, first)
        for thing in things:
            kept = thing.model_copy(update={"hidden": thing.state == "stands", "twins": ()})
            self._things.append(_Thing(thing.thing_id, last=kept, restored_s=now_s))


def _match(thing: _Thing, sight: Sight) -> tuple[int, float] | None:
    """How well a sight fits a thing, less is better; None if it does not."""
    last = thing.last
    others = [one for one in thing.sights.values() if one.state != "gone"]
    label = last.label if last is not None else None
    texts = {one.text for one in others if one.text is not None}
    if not texts and label is not None:
        texts = {label.text}
    if last is not None:
        place = (middle(last.outline_m), last.v_m, last.sd_m)
    elif others:
        place = (middle(others[0].outline_m), others[0].v_m, others[0].sd_m)
    else:
        return None
    (u, z), v_m, sd_m = place
    outline = sight.outline_m
    if sight.text is None and texts:
        # How deep a thing without a label stands is a guess; where its ray passes the other is not.
        outline = at_depth(sight, v_m)
    elif sight.text is not None and not texts and others:
        u, z = middle(at_depth(others[0], sight.v_m))
    su, sz = middle(outline)
    off = math.hypot(u - su, z - sz)
    near = off < NEAR_M + 3.0 * math.hypot(sd_m, sight.sd_m)
    if sight.text is not None and texts:
        if all(label_key(text) != label_key(sight.text) for text in texts):
            return None
        between = _labels_apart(others, sight)
        if near or between < NEAR_M:
            return (0, min(off, between))
        missing = (
            last is not None
            and (last.state != "stands" or last.hidden)
            and not any(one.state == "stands" and not one.hidden for one in others)
        )
        return (1, off) if missing else None
    if last is not None and last.state == "gone":
        return None
    if thing.restored_s is not None and (sight.text is None) != (not texts):
        return None
    return (2, off) if near and _inside(last, others, outline) else None


def _labels_apart(others: Sequence[Sight], sight: Sight) -> float:
    """How far a label is from where another camera has the same one; inf if none has. An outline
    may hold a neighbour, so that its middle is elsewhere."""
    if sight.label_m is None:
        return math.inf
    return min(
        (
            apart(at_depth(sight, one.v_m, sight.label_m), one.label_m)
            for one in others
            if one.label_m is not None and one.state == sight.state == "stands"
        ),
        default=math.inf,
    )


def _inside(
    last: Thing | None, others: Sequence[Sight], outline: Sequence[tuple[float, float]]
) -> bool:
    """Whether the middle of either outline lies in the other's box."""
    known = others[0].outline_m if others else last.outline_m if last is not None else ()
    if not known:
        return False
    return holds(known, middle(outline)) or holds(outline, middle(known))


def _label(sights: Sequence[Sight]) -> LabelRead | None:
    """The label read most often; other cameras' readings of the same key count as well."""
    read = [one for one in sights if one.text is not None and one.symbology is not None]
    if not read:
        return None
    best = max(read, key=lambda one: one.reads)
    assert best.text is not None
    assert best.symbology is not None
    key = label_key(best.text)
    reads = sum(one.reads for one in read if one.text and label_key(one.text) == key)
    return LabelRead(symbology=best.symbology, text=best.text, reads=min(reads, 1_000_000))


def _differs(now: Thing, told: Thing) -> bool:
    """Whether the hub should hear of it."""
    if (now.state, now.hidden, now.contested, now.twins) != (
        told.state,
        told.hidden,
        told.contested,
        told.twins,
    ):
        return True
    if (now.label and now.label.text) != (told.label and told.label.text):
        return True
    if now.state == "gone":
        return False
    if abs(now.v_m - told.v_m) > 2 * MOVED_M:
        return True
    if now.mark_m is None or told.mark_m is None:
        if now.mark_m != told.mark_m:
            return True
    elif _changed(now.mark_m, told.mark_m, MARK_MOVED_M, MOVED_M):
        return True
    return _changed(now.outline_m, told.outline_m, MOVED_M, SIZE_M)


def _changed(now: Corners, told: Corners, by_m: float, size_m: float) -> bool:
    """Whether a middle moved by more, or a size by more is another."""
    sizes = zip(size(now), size(told), strict=True)
    return apart(now, told) > by_m or any(abs(a - b) > size_m for a, b in sizes)


def _stayed(before: Thing, sight: Sight) -> bool:
    """Whether a camera that is less sure how deep a thing stands sees it where it stood."""
    if before.state != "stands" or before.sd_m >= sight.sd_m:
        return False
    return apart(before.outline_m, at_depth(sight, before.v_m)) < NEAR_M
