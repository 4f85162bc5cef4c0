"""Reading a code of bars from its light profile by templates that bend, where edges are blurred.

Edges vanish when a module is little more than a pixel, but a digit's seven modules together still
look more like one digit than like the others. Every slot of a code is compared with all patterns
of its alphabet, at places that may shift and stretch a little from slot to slot; the best row of
patterns that keeps the check digit is the reading, and it counts only when it is clearly better
than the best row that says something else.

After Gallo, Manduchi: Reading 1D barcodes with mobile phones using deformable templates, IEEE
PAMI 33(9), 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vision.labels.bars import Layout, alphabet, layouts
from vision.labels.choices import CHOICES

__all__ = [
    "OWN_FORMATS",
    "ProfileReading",
    "convincing",
    "edges_between",
    "read_profile",
    "supports",
]

Floats = NDArray[np.float64]

SAMPLES = 5
"""Samples a module is compared by."""
MARGIN = 0.5
"""Modules beyond a slot that are compared, too: its outer edges."""
BLURS = (0.3, 0.6, 0.9, 1.2)
"""Standard deviations of blur tried, modules."""
GUARD_BLURS = (0.6, 1.2)
"""Guards are looked for in sharp and in blurred codes."""
BOWS = np.array([0.0, *(side * 0.25 * k for k in range(1, 7) for side in (-1, 1))])
"""How far a code's middle may lie from where an even code has it, modules: what is seen from
aside, or round a can, is narrower at one side."""
PAIRS_MOST = 4
"""So many pairs of outer edges are kept for each layout."""
SHIFTS = np.arange(-5, 6) * 0.2
"""How far a slot's border may lie from where an even code has it, modules."""
STEPS = 2
"""By how many of these shifts neighbouring borders may differ."""
_APART = np.abs(np.subtract.outer(np.arange(len(SHIFTS)), np.arange(len(SHIFTS))))
_FROM, _TO = np.nonzero(_APART <= STEPS)
"""Pairs of shifts at the two borders of one slot."""
_STEP = np.full(_APART.shape, -1)
_STEP[_FROM, _TO] = np.arange(len(_FROM))
BEND_COST = 0.01
"""What a step of shift costs, in correlation."""
EDGE_SHARE = 0.08
"""An edge of a bar is at least so steep, beside the steepest."""
CLEAR_SHARE = 0.25
"""An edge that ends a quiet space is at least so steep."""
EDGES_MIN = 18
"""Codes have more edges."""
EDGES_TRIED = 8
"""So many edges at either end may be the code's outermost, the nearest first..."""
EDGES_NEAR = 3
"""... so many of them, though there is a bar just beside them..."""
QUIET_SHARE = 0.035
"""... and others, if beside them nothing is for this share of the length..."""
ENDS_REACH = 0.35
"""... if they are not farther off than this share of its length."""
ENDS_TRIED = 8
"""So many layouts between pairs of outer edges are read as if they were even, for each format."""
BENT_TRIED = 2
"""So many of these, the best, are read with shifts."""
EVEN_MIN = 0.66
"""Correlation they have at the least."""
GUARD_MIN = 0.55
"""Correlation that a code's guards have at the least before anything else is looked at."""
QUIET_MODULES = (1.0, 4.0)
"""Beside a code nothing is dark between so many modules from its ends."""
QUIET_MIN = 0.4


@dataclass(frozen=True)
class _Hope:
    """A layout between two pixels whose guards are where they should be."""

    guards: float
    layout: Layout
    begin: float
    end: float
    bow: float


@dataclass(frozen=True)
class ProfileReading:
    """What a profile says, between the pixels `begin` and `end` of it."""

    text: str
    format: str
    begin: float
    end: float
    fit: float
    """Mean correlation of the slots, at most 1."""
    worst: float
    """Correlation of the slot that fits worst."""
    margin: float
    """By how much the slots' correlations add up to more than those of any other text."""
    modules: float
    quiet: float
    """How light the space beside the code is where it is darkest, 0 as its bars, 1 as between."""
    reversed: bool = False


OWN_FORMATS = ("ean13", "ean8", "upc_e", "code128", "code39", "itf")
"""Formats that can be read from a profile."""


def convincing(one: ProfileReading) -> bool:
    """Whether a reading may stand by itself."""
    if one.quiet < QUIET_MIN:
        return False
    if one.format in ("code39", "itf"):
        return one.fit >= 0.94 and one.worst >= 0.8 and one.margin >= 0.1
    if one.format == "upc_e":
        # An EAN's add-on looks much like it.
        return one.fit >= 0.95 and one.worst >= 0.8 and one.margin >= 0.25
    return one.fit >= 0.93 and one.worst >= 0.75 and one.margin >= 0.2


def supports(one: ProfileReading) -> bool:
    """Whether it proves what an engine read likewise."""
    if one.format == "upc_e":
        return convincing(one)
    return one.quiet >= QUIET_MIN and one.fit >= 0.85 and one.worst >= 0.5 and one.margin >= 0.06


def read_profile(
    profile: Floats, formats: tuple[str, ...], *, span: tuple[float, float]
) -> ProfileReading | None:
    """The best reading of a profile (N,) of light whose code begins and ends near `span`, both
    ways round; None if nothing is like a code of these formats."""
    found: list[ProfileReading] = []
    size = len(profile)
    for one in _read_one_way(profile, formats, span):
        found.append(one)
    near = (size - 1 - span[1], size - 1 - span[0])
    for one in _read_one_way(np.ascontiguousarray(profile[::-1]), formats, near):
        begin, end = size - 1 - one.begin, size - 1 - one.end
        found.append(replace(one, begin=begin, end=end, reversed=True))
    return max(found, key=lambda one: one.fit * min(1.0, one.margin), default=None)


def _read_one_way(
    profile: Floats, formats: tuple[str, ...], span: tuple[float, float]
) -> list[ProfileReading]:
    ends = _outer_edges(profile, span)
    found: list[ProfileReading] = []
    if not len(ends[0]):
        return found
    for format_ in formats:
        hopeful: list[_Hope] = []
        for layout in layouts(format_):
            hopeful += _guarded(profile, layout, ends)
        hopeful.sort(key=lambda one: -one.guards)
        evened = [(_evenly(profile, one), one) for one in hopeful[:ENDS_TRIED]]
        evened.sort(key=lambda one: -one[0][0])
        for (fit, blur), hope in evened[:BENT_TRIED]:
            if fit >= EVEN_MIN and (one := _read_layout(profile, hope, blur)) is not None:
                found.append(one)
        if any(convincing(one) for one in found):
            break
    return found


def _edges(slope: Floats, least: float, sign: float) -> NDArray[np.intp]:
    """Where the slope is steepest upward (sign 1) or downward (-1)."""
    line = sign * slope
    middle = line[1:-1]
    peaks = (middle > least) & (middle >= line[:-2]) & (middle > line[2:])
    return np.flatnonzero(peaks) + 1


def edges_between(profile: Floats, begin: float, end: float) -> int:
    """Edges of bars in a stretch of a profile, by a threshold that noise stays under."""
    slope = np.gradient(profile)
    inside = slope[max(0, int(begin)) : int(end) + 2]
    if len(inside) < 3:
        return 0
    least = max(0.5, EDGE_SHARE * float(np.percentile(np.abs(inside), 95)))
    return len(_alternating(_edges(inside, least, -1.0), _edges(inside, least, 1.0)))


Ends = tuple[Floats, Floats, NDArray[np.intp]]
"""Pairs of pixels a code may begin and end at, and how many edges are between them."""


def _outer_edges(profile: Floats, span: tuple[float, float]) -> Ends:
    """Where the first bar may begin and the last may end: light to dark, and dark to light."""
    slope = np.gradient(profile)
    steep = float(np.percentile(np.abs(slope), 95))
    least, clear = max(0.5, EDGE_SHARE * steep), max(0.5, CLEAR_SHARE * steep)
    falls, rises = _edges(slope, least, -1.0), _edges(slope, least, 1.0)
    length = span[1] - span[0]
    begins = _nearest(falls, _edges(slope, clear, 1.0), span[0], length, before=True)
    ends = _nearest(rises, _edges(slope, clear, -1.0), span[1], length, before=False)
    first, last = (one.ravel() for one in np.meshgrid(begins, ends, indexing="ij"))
    every = _alternating(falls, rises)
    count = np.searchsorted(every, last, "right") - np.searchsorted(every, first, "left")
    fits = count >= EDGES_MIN
    first, last, count = first[fits], last[fits], count[fits]
    fine = {int(k): _fine(slope, int(k)) for k in (*first, *last)}
    return (
        np.array([fine[int(k)] for k in first], np.float64),
        np.array([fine[int(k)] for k in last], np.float64),
        np.asarray(count, np.intp),
    )


def _alternating(falls: NDArray[np.intp], rises: NDArray[np.intp]) -> NDArray[np.intp]:
    """All edges in order, of several of one kind that follow each other only the first."""
    places = np.concatenate([falls, rises])
    signs = np.concatenate([np.full(len(falls), -1), np.full(len(rises), 1)])
    order = np.argsort(places, kind="stable")
    places, signs = places[order], signs[order]
    return np.asarray(places[np.diff(signs, prepend=0) != 0], np.intp)


def _nearest(
    edges: NDArray[np.intp],
    others: NDArray[np.intp],
    place: float,
    length: float,
    *,
    before: bool,
) -> NDArray[np.intp]:
    """Edges that may be outermost: the few nearest to the place, and such as have a quiet space
    on their outer side, where no bar of the other kind (`others`) ends."""
    if not len(edges):
        return edges
    sides = np.searchsorted(others, edges)
    padded = np.concatenate([[-(10**6)], others, [10**6]])
    gaps = edges - padded[sides] if before else padded[sides + 1] - edges
    away = np.abs(edges - place)
    near = np.zeros(len(edges), bool)
    near[np.argsort(away, kind="stable")[:EDGES_NEAR]] = True
    fits = (away <= ENDS_REACH * length) & (near | (gaps >= QUIET_SHARE * length))
    chosen = np.flatnonzero(fits)
    chosen = chosen[np.argsort(away[chosen], kind="stable")[:EDGES_TRIED]]
    return np.asarray(edges[np.sort(chosen)], np.intp)


def _fine(slope: Floats, k: int) -> float:
    """The extremum beside a sample, by a parabola."""
    a, b, c = slope[k - 1], slope[k], slope[k + 1]
    bend = a - 2.0 * b + c
    return float(k) if bend == 0.0 else float(k + np.clip(0.5 * (a - c) / bend, -0.5, 0.5))


@cache
def _templates(name: str, blur: float) -> Floats:
    """(patterns, samples) of mean 0 and length 1; dark is low."""
    kind = alphabet(name)
    fine = 10 * SAMPLES
    beyond = 2 * fine
    rows = []
    for widths in kind.widths:
        dark = kind.dark_first
        parts = [np.full(beyond, 1.0 if dark else 0.0)]
        for width in widths:
            parts.append(np.full(round(width * fine), 0.0 if dark else 1.0))
            dark = not dark
        parts.append(np.full(beyond, 0.0 if dark else 1.0))
        line = np.concatenate(parts)
        reach = np.arange(-3 * int(blur * fine) - 1, 3 * int(blur * fine) + 2)
        kernel = np.exp(-0.5 * (reach / (blur * fine)) ** 2)
        smooth = np.convolve(np.pad(line, len(reach), mode="edge"), kernel / kernel.sum(), "same")
        smooth = smooth[len(reach) : -len(reach)]
        count = _samples(kind.modules)
        at = beyond + fine * np.linspace(-MARGIN, kind.modules + MARGIN, count)
        rows.append(np.interp(at, np.arange(len(smooth)) + 0.5, smooth))
    return _normal(np.array(rows))


def _samples(modules: float) -> int:
    return round((modules + 2 * MARGIN) * SAMPLES)


def _normal(rows: Floats) -> Floats:
    """Rows of mean 0 and length 1."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    length = np.sqrt((centred**2).sum(axis=-1, keepdims=True))
    return np.asarray(centred / np.maximum(length, 1e-9), np.float64)


def _windows(profile: Floats, starts: Floats, ends: Floats, modules: float) -> Floats:
    """(..., samples) of the profile, normal, between borders of equal shape."""
    module = (ends - starts) / modules
    share = np.linspace(-MARGIN, modules + MARGIN, _samples(modules))
    at = starts[..., None] + module[..., None] * share
    return _normal(np.interp(at.ravel(), np.arange(len(profile)), profile).reshape(at.shape))


def _alike(windows: Floats, name: str, blur: float) -> Floats:
    """(windows, patterns) correlations. Not by BLAS: for so little its threads cost far more."""
    return np.asarray(np.einsum("ws,ps->wp", windows, _templates(name, blur)), np.float64)


def _guarded(profile: Floats, layout: Layout, ends: Ends) -> list[_Hope]:
    """Pairs of outer edges between which the guards are where the layout has them."""
    first, last, count = ends
    module = (last - first) / layout.modules
    # Blur takes edges away, hardly ever does anything add to them.
    fits = (module >= 0.8) & (count <= 1.15 * layout.edges + 2) & (layout.edges <= 1.5 * count + 4)
    first, last, module = first[fits], last[fits], module[fits]
    if not len(first):
        return []
    scores = np.zeros((len(GUARD_BLURS), len(first)))
    bow = np.zeros(len(first))
    for k in layout.guards:
        slot = layout.slots[k]
        width = alphabet(slot.alphabet).modules
        start = first + module * slot.start
        shifts = BOWS if slot.alphabet == "ean-middle" else BOWS[:1]
        begin = start[:, None] + module[:, None] * shifts
        windows = _windows(profile, begin, begin + module[:, None] * width, width)
        for n, blur in enumerate(GUARD_BLURS):
            fit = _alike(windows.reshape(-1, windows.shape[-1]), slot.alphabet, blur)
            fit = fit.max(axis=-1).reshape(len(first), len(shifts))
            scores[n] += fit.max(axis=-1)
            if len(shifts) > 1 and n == 0:
                bow = shifts[fit.argmax(axis=-1)]
    score = scores.max(axis=0) / len(layout.guards)
    order = np.argsort(-score, kind="stable")[:PAIRS_MOST]
    return [
        _Hope(float(score[k]), layout, float(first[k]), float(last[k]), float(bow[k]))
        for k in order
        if score[k] >= GUARD_MIN
    ]


def _places(hope: _Hope) -> tuple[Floats, float]:
    """Where the borders of the slots are if the code is even, and what a module measures."""
    slots = hope.layout.slots
    tail = slots[-1].start + alphabet(slots[-1].alphabet).modules
    module = (hope.end - hope.begin) / hope.layout.modules
    even = np.array([*(one.start for one in slots), tail])
    share = even / hope.layout.modules
    return hope.begin + module * (even + 4.0 * hope.bow * share * (1.0 - share)), module


def _evenly(profile: Floats, hope: _Hope) -> tuple[float, float]:
    """Mean correlation of the slots' best patterns where they are if the code is even, and the
    blur at which that is best."""
    places, _ = _places(hope)
    names = [slot.alphabet for slot in hope.layout.slots]
    total = np.zeros(len(BLURS))
    for name in dict.fromkeys(names):
        k = np.array([i for i, other in enumerate(names) if other == name])
        windows = _windows(profile, places[k], places[k + 1], alphabet(name).modules)
        total += [float(_alike(windows, name, blur).max(axis=-1).sum()) for blur in BLURS]
    best = int(total.argmax())
    return float(total[best]) / len(names), BLURS[best]


def _read_layout(profile: Floats, hope: _Hope, blur: float) -> ProfileReading | None:
    places, module = _places(hope)
    scores = []
    for k, slot in enumerate(hope.layout.slots):
        width = alphabet(slot.alphabet).modules
        begins, ends = places[k] + module * SHIFTS[_FROM], places[k + 1] + module * SHIFTS[_TO]
        windows = _windows(profile, begins, ends, width)
        scores.append(_alike(windows, slot.alphabet, blur))
    quiet = _quiet(profile, hope.begin, hope.end, module)
    return _judged(_straightest(scores), hope, quiet)


def _straightest(scores: list[Floats]) -> list[Floats]:
    """For each slot its patterns' correlations (patterns,) along the best row of borders; scores
    are (steps, patterns) each, a step as in _FROM and _TO."""
    count = len(SHIFTS)
    best = -0.5 * BEND_COST * np.abs(SHIFTS)
    came = []
    for score in scores:
        through = np.full((count, count), -1e6)
        through[_FROM, _TO] = score.max(axis=-1) - BEND_COST * np.abs(_FROM - _TO)
        through += best[:, None]
        came.append(through.argmax(axis=0))
        best = through.max(axis=0)
    at = int(np.argmax(best))
    rows: list[Floats] = []
    for k in range(len(scores) - 1, -1, -1):
        before = int(came[k][at])
        rows.append(scores[k][_STEP[before, at]])
        at = before
    return rows[::-1]


def _quiet(profile: Floats, begin: float, end: float, module: float) -> float:
    """How light the darkest of the space beside the code is, between its bars' dark and light."""
    inner = profile[max(0, int(begin)) : int(end) + 1]
    worst = 1.0
    for side, edge in ((-1.0, begin), (1.0, end)):
        near = inner[: len(inner) // 3] if side < 0 else inner[-len(inner) // 3 :]
        dark, light = np.percentile(near, (10, 90))
        at = edge + side * module * np.arange(QUIET_MODULES[0], QUIET_MODULES[1], 0.25)
        beside = float(np.interp(at, np.arange(len(profile)), profile).min())
        worst = min(worst, (beside - float(dark)) / max(1e-6, float(light - dark)))
    return worst


def _judged(rows: list[Floats], hope: _Hope, quiet: float) -> ProfileReading | None:
    """The best text that keeps its checks, with how much better it is than any other."""
    layout = hope.layout
    found = CHOICES[layout.format](rows)
    if found is None:
        return None
    text, picked, margin = found
    fits = [float(row[k]) for row, k in zip(rows, picked, strict=True)]
    return ProfileReading(
        text, layout.format, hope.begin, hope.end, float(np.mean(fits)), min(fits), margin,
        layout.modules, quiet,
    )  # fmt: skip
