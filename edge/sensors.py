"""Which sensors of a node can be believed right now, and when that changed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from contracts.messages import CameraHealth, SensorOutage

__all__ = ["Sensor", "SensorBoard"]

_RATE_WINDOW_S = 2.0
_TIMES_MAX = 512  # readings remembered to tell the rate
_REASON_MAX = 200


@dataclass(slots=True)
class Sensor:
    """One camera, or all plates of one bay: when it last gave a reading, and whether it is well."""

    sensor_id: str
    kind: Literal["camera", "plate"]
    bay_id: str | None
    born_s: float
    age_s_max: float
    last_s: float | None = None
    fault: str | None = None
    well_since_s: float | None = None
    out: bool = False
    times: deque[float] = field(default_factory=lambda: deque(maxlen=_TIMES_MAX))
    dropped: int = 0
    wall_id: str | None = None

    def reading(self, t_s: float, fault: str | None) -> None:
        """Notes a reading; `fault` says why it cannot be believed."""
        self.last_s = t_s if self.last_s is None else max(self.last_s, t_s)
        self.times.append(t_s)
        self.fault = fault
        if fault is not None:
            self.well_since_s = None
        elif self.well_since_s is None:
            self.well_since_s = t_s

    def known_to_s(self) -> float:
        """Up to when this sensor has told everything; its birth before the first reading."""
        return self.born_s if self.last_s is None else self.last_s

    def trouble(self, now_s: float, start_grace_s: float) -> str | None:
        """Why the sensor cannot be believed now, None if it can."""
        if self.last_s is None:
            if now_s - self.born_s <= start_grace_s:
                return None
            return f"nothing read in the first {now_s - self.born_s:.1f} s"
        age_s = now_s - self.last_s
        if age_s > self.age_s_max:
            self.well_since_s = None
            return f"nothing read for {age_s:.1f} s"
        return self.fault


class SensorBoard:
    """Keeps all sensors and says, once each, who went blind and who came back."""

    def __init__(self, sensors: list[Sensor], *, start_grace_s: float, recover_s: float) -> None:
        self._sensors: dict[tuple[str, str], Sensor] = {
            (one.kind, one.sensor_id): one for one in sensors
        }
        self._start_grace_s = start_grace_s
        self._recover_s = recover_s
        self._dead: dict[tuple[str, str], float] = {}
        self._told_dead: set[tuple[str, str]] = set()

    def get(self, kind: str, sensor_id: str) -> Sensor | None:
        """The sensor, None if the node does not serve it."""
        return self._sensors.get((kind, sensor_id))

    def all(self, kind: str) -> list[Sensor]:
        """All sensors of a kind, in the configuration's order."""
        return [one for one in self._sensors.values() if one.kind == kind]

    def check(self, now_s: float) -> list[SensorOutage]:
        """News since the last check. Whoever comes back must have been well for a while."""
        news = self._check_plates(now_s)
        for sensor in self._sensors.values():
            trouble = sensor.trouble(now_s, self._start_grace_s)
            if trouble is not None and not sensor.out:
                sensor.out = True
                news.append(_outage(sensor, True, now_s, trouble))
            elif trouble is None and sensor.out and sensor.well_since_s is not None:
                known_s = sensor.known_to_s()
                if known_s - sensor.well_since_s >= self._recover_s:
                    sensor.out = False
                    news.append(_outage(sensor, False, now_s, ""))
        return news

    def plates_dead(self, bay_id: str, plate_ids: Iterable[str], t_s: float) -> None:
        """Notes single plates of a bay that give nothing, or always the same."""
        for plate_id in plate_ids:
            self._dead[bay_id, plate_id] = t_s

    def _check_plates(self, now_s: float) -> list[SensorOutage]:
        news = []
        for (bay_id, plate_id), since_s in sorted(self._dead.items()):
            key = (bay_id, plate_id)
            blind = now_s - since_s <= self._recover_s
            if not blind:
                del self._dead[key]
            if blind != (key in self._told_dead):
                (self._told_dead.add if blind else self._told_dead.discard)(key)
                news.append(
                    SensorOutage(
                        sensor_id=plate_id,
                        kind="plate",
                        bay_id=bay_id,
                        blind=blind,
                        t_s=max(now_s, 0.0),
                        reason="no reading, or always the same" if blind else "",
                    )
                )
        return news

    def healths(self, now_s: float) -> tuple[CameraHealth, ...]:
        """What each camera looks like in the node's pulse."""
        rows = []
        for sensor in self.all("camera"):
            recent = sum(1 for t_s in sensor.times if now_s - t_s <= _RATE_WINDOW_S)
            age_s = None if sensor.last_s is None else max(0.0, now_s - sensor.last_s)
            rows.append(
                CameraHealth(
                    camera_id=sensor.sensor_id,
                    ok=not sensor.out and sensor.last_s is not None,
                    last_frame_age_s=age_s,
                    fps=recent / _RATE_WINDOW_S,
                    dropped=sensor.dropped,
                )
            )
        return tuple(rows)


def _outage(sensor: Sensor, blind: bool, now_s: float, reason: str) -> SensorOutage:
    return SensorOutage(
        sensor_id=sensor.sensor_id,
        kind=sensor.kind,
        bay_id=sensor.bay_id,
        wall_id=sensor.wall_id,
        blind=blind,
        t_s=max(now_s, 0.0),
        reason=reason[:_REASON_MAX],
    )
