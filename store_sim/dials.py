"""The dials of the simulated store: how good or bad light, lenses, sensors and network are.

>>> turned(Dials(), "light.dim=0.5").light.dim
0.5

Every dial stands at "as built" by default; a scenario sets those that its case is about, and
`--dial light.dim=0.5` sets one by hand. What is random about a dial follows the run's seed.
`mishaps` are things that happen to one device for a while; a shopper's `Tamper` verb adds to them
while the world runs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from contracts.base import Contract
from store_sim.errors import DialError

__all__ = [
    "CAMERA_MISHAPS",
    "PLATE_MISHAPS",
    "PROCESS_MISHAPS",
    "CameraDials",
    "ClockDials",
    "Dials",
    "GateDials",
    "LensDials",
    "LightDials",
    "Mishap",
    "MishapKind",
    "NetworkDials",
    "PeopleDials",
    "PlateDials",
    "turned",
]

Share = Annotated[float, Field(ge=0.0, le=1.0)]

MishapKind = Literal[
    "covered", "turned", "defocused", "blinded", "frozen", "black", "dropping",
    "unplugged", "leaned", "stuck",
    "broker_down", "hub_down", "node_down",
]  # fmt: skip
CAMERA_MISHAPS = ("covered", "turned", "defocused", "blinded", "frozen", "black", "dropping")
"""The target is a camera id."""
PLATE_MISHAPS = ("unplugged", "leaned", "stuck")
"""The target is a plate id or a bay id."""
PROCESS_MISHAPS = ("broker_down", "hub_down", "node_down")
"""The target is a node id for "node_down". "broker_down" with NODE, NODE/up or NODE/down cuts that
node off, or one way of it; empty it is the broker for all."""


class LightDials(Contract):
    """Light and air."""

    dim: Annotated[Share, Field(description="share of the lamps' light that is missing")] = 0.0
    flicker: Annotated[Share, Field(description="depth of a mains flicker, beating slowly")] = 0.0
    sun_patch: Annotated[Share, Field(description="strength of a patch of sun that wanders")] = 0.0
    colour: Annotated[
        float, Field(ge=-1.0, le=1.0, description="-1 very warm, 0 neutral, 1 very cold")
    ] = 0.0
    fog: Annotated[Share, Field(description="fog on the glass doors of fridges")] = 0.0
    reflections: Annotated[Share, Field(description="gloss of floor and glass")] = 0.0


class LensDials(Contract):
    """One camera's optics, sensor and codec; all cameras of the store alike."""

    distortion: Annotated[
        float, Field(ge=-0.4, le=0.4, description="k1 that the store file knows nothing of")
    ] = 0.0
    blur_px: Annotated[float, Field(ge=0.0, le=6.0, description="Gaussian blur, sigma")] = 0.0
    motion_blur: Annotated[Share, Field(description="exposure as a share of the frame time")] = 0.0
    noise: Annotated[float, Field(ge=0.0, le=40.0, description="noise, sd in grey levels")] = 2.0
    exposure: Annotated[Share, Field(description="how much the exposure wanders")] = 0.0
    vignette: Annotated[Share, Field(description="light lost in the corners")] = 0.0
    h264_crf: Annotated[
        int, Field(ge=0, le=51, description="0: untouched; else as an H.264 stream of this CRF")
    ] = 0


class CameraDials(Contract):
    """When pictures come."""

    fps: Annotated[float | None, Field(gt=0, le=120, description="none: the store file's")] = None
    jitter_ms: Annotated[float, Field(ge=0.0, le=2000.0)] = 0.0
    dropped: Annotated[Share, Field(description="share of frames lost")] = 0.0


class PeopleDials(Contract):
    """How people look: 0 is the plain crowd, 1 adds gloves, hats, bags, hoods, big sleeves."""

    variety: Share = 0.0


class PlateDials(Contract):
    """Weighing plates; multiples of a good real store's plates."""

    noise: Annotated[float, Field(ge=0.0, le=50.0)] = 1.0
    drift: Annotated[float, Field(ge=0.0, le=100.0)] = 1.0
    cross_talk: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    vibration_g: Annotated[float, Field(ge=0.0, le=200.0, description="shaking, sd in g")] = 0.0
    creep: Annotated[Share, Field(description="share of a load that comes only with time")] = 0.0
    pack_weight_sd: Annotated[
        float | None, Field(ge=0.0, le=0.2, description="spread of pack weights; none: as listed")
    ] = None


class GateDials(Contract):
    """Readers at the gates."""

    misread: Annotated[Share, Field(description="share of scans that read wrong at first")] = 0.0


class ClockDials(Contract):
    """Clocks of the nodes."""

    skew_s: Annotated[float, Field(ge=0.0, le=3600.0, description="up to this, either way")] = 0.0
    drift_ppm: Annotated[float, Field(ge=0.0, le=500.0)] = 0.0


class NetworkDials(Contract):
    """The network between nodes, broker and hub."""

    delay_ms: Annotated[float, Field(ge=0.0, le=60_000.0, description="mean delay")] = 0.0
    dropped: Annotated[Share, Field(description="share of messages lost")] = 0.0
    doubled: Annotated[Share, Field(description="share delivered twice")] = 0.0
    reordered: Annotated[Share, Field(description="share that overtakes others")] = 0.0
    cuts_per_min: Annotated[float, Field(ge=0.0, le=60.0, description="links cut at random")] = 0.0
    cut_s: Annotated[float, Field(ge=0.0, le=600.0, description="mean length of a cut")] = 3.0
    kills_per_min: Annotated[
        float, Field(ge=0.0, le=60.0, description="nodes or the hub killed at random")
    ] = 0.0

    @property
    def perfect(self) -> bool:
        """Whether nothing happens to messages or processes."""
        return self == NetworkDials()


class Mishap(Contract):
    """Something that happens to a device from `begin_s` to `end_s`. An empty target means all."""

    kind: MishapKind
    target: Annotated[str, Field(max_length=80)] = ""
    begin_s: Annotated[float, Field(ge=0.0)] = 0.0
    end_s: Annotated[float, Field(ge=0.0)] = 1e9
    amount: Share = 1.0

    def on(self, t_s: float, *names: str) -> bool:
        """Whether it is happening now to a thing of one of these names."""
        return self.begin_s <= t_s < self.end_s and self.target in ("", *names)


class Dials(Contract):
    """All dials of a run."""

    light: LightDials = LightDials()
    lens: LensDials = LensDials()
    camera: CameraDials = CameraDials()
    people: PeopleDials = PeopleDials()
    plates: PlateDials = PlateDials()
    gates: GateDials = GateDials()
    clock: ClockDials = ClockDials()
    network: NetworkDials = NetworkDials()
    mishaps: tuple[Mishap, ...] = ()


def turned(dials: Dials, *settings: str) -> Dials:
    """The dials with some set: "group.name=value". DialError names what there is to set."""
    document: dict[str, Any] = dials.model_dump()
    for setting in settings:
        name, sign, value = setting.partition("=")
        group, dot, leaf = name.strip().partition(".")
        known = sorted(_names())
        if not sign or not dot or f"{group}.{leaf}" not in known:
            raise DialError(
                f"expected a dial as NAME=VALUE with one of {', '.join(known)}; got {setting!r}"
            )
        document[group][leaf] = value.strip()
    try:
        return Dials.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        where = ".".join(str(part) for part in fault["loc"])
        raise DialError(f"dial {where}: {fault['msg']}, got {fault.get('input')!r}") from error


def _names() -> Iterable[str]:
    for group, field in Dials.model_fields.items():
        if group != "mishaps":
            for leaf in type(field.default).model_fields:
                yield f"{group}.{leaf}"
