"""A van's route as a file: stops in order, with the orders or labels that are left at each.

YAML or JSON:

    route_id: tuesday-1
    wall_id: van-wall
    stops:
      - name: 1 First Street
        orders: [o-100, o-101]
      - name: 2 Second Street
        labels: ["00340123450000000017"]

CSV: a line for each order or label, under the header `stop,order,label`; lines one after another
with the same stop are one stop. Route and wall are then named on the command line.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from contracts.labels import label_key
from sortie.errors import UsageError

__all__ = ["FileStop", "RouteFile", "read_route"]

BYTES_MAX = 1_000_000
STOPS_MAX = 500
COLUMNS = ("stop", "order", "label")
KEYS = ("name", "orders", "labels")


@dataclass(slots=True)
class FileStop:
    """One stop, and the line of the file that it begins at."""

    name: str
    line: int
    orders: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class RouteFile:
    """A route as its file says it; ids are None where a CSV file cannot say them."""

    path: Path
    route_id: str | None
    wall_id: str | None
    stops: list[FileStop]

    def body(self, route_id: str, wall_id: str) -> dict[str, Any]:
        """What the hub is sent."""
        stops = [
            {"name": one.name, "orders": one.orders, "labels": one.labels} for one in self.stops
        ]
        return {"route_id": route_id, "wall_id": wall_id, "stops": stops}

    def line_of(self, stop: int) -> int:
        """The line of a stop by its number, from 1 on."""
        return self.stops[stop - 1].line if 0 < stop <= len(self.stops) else 1


def read_route(path: Path) -> RouteFile:
    """Reads and checks a route file; UsageError names file, line and what was expected."""
    try:
        if path.stat().st_size > BYTES_MAX:
            raise UsageError(f"{path}: expected at most {BYTES_MAX} bytes")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); give a route file") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: expected UTF-8 text, got bytes that are not") from error
    found = _of_csv(path, text) if path.suffix.lower() == ".csv" else _of_yaml(path, text)
    faults = _faults(found)
    if faults:
        raise UsageError("\n".join(faults[:20]))
    return found


def _faults(route: RouteFile) -> list[str]:
    """What is wrong with the stops as they are written, each with its line."""
    faults: list[str] = []
    if not 1 <= len(route.stops) <= STOPS_MAX:
        faults.append(f"{route.path}:1: expected 1 to {STOPS_MAX} stops, got {len(route.stops)}")
    seen: dict[str, int] = {}
    for stop in route.stops:
        where = f"{route.path}:{stop.line}: stop {stop.name!r}"
        if not stop.name:
            faults.append(f"{route.path}:{stop.line}: expected a name of the stop, got none")
        if not stop.orders and not stop.labels:
            faults.append(f"{where}: expected an order or a label, got neither")
        names = [f"order {one}" for one in stop.orders]
        for label in stop.labels:
            try:
                names.append(label_key(label))
            except ValueError as error:
                faults.append(f"{where}: {error}")
        for name in names:
            if name in seen:
                faults.append(f"{where}: {name} stands in line {seen[name]} already")
            seen.setdefault(name, stop.line)
    return faults


def _of_csv(path: Path, text: str) -> RouteFile:
    rows = csv.reader(io.StringIO(text, newline=""))
    stops: list[FileStop] = []
    header: list[str] | None = None
    try:
        for row in rows:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if header is None:
                header = [cell.lower() for cell in cells]
                once = len(set(header)) == len(header)
                if "stop" not in header or not set(header) <= set(COLUMNS) or not once:
                    raise UsageError(
                        f"{path}:{rows.line_num}: expected a header of stop, order and label, got "
                        f"{','.join(cells)}"
                    )
                continue
            if len(cells) > len(header):
                raise UsageError(
                    f"{path}:{rows.line_num}: expected {len(header)} columns, got {len(cells)}"
                )
            said = dict(zip(header, cells, strict=False))
            name = said.get("stop", "")
            if not stops or stops[-1].name != name:
                stops.append(FileStop(name, rows.line_num))
            if said.get("order"):
                stops[-1].orders.append(said["order"])
            if said.get("label"):
                stops[-1].labels.append(said["label"])
    except csv.Error as error:
        raise UsageError(f"{path}:{rows.line_num}: not CSV: {error}") from error
    return RouteFile(path, None, None, stops)


def _of_yaml(path: Path, text: str) -> RouteFile:
    """YAML, and JSON with it, read as nodes so that each fault has its line."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        problem = getattr(error, "problem", None) or "cannot be understood"
        raise UsageError(f"{path}:{line}: not YAML or JSON: {problem}") from error
    except RecursionError as error:
        raise UsageError(f"{path}:1: expected a list of stops, got lists within lists") from error
    if not isinstance(root, yaml.MappingNode):
        raise UsageError(f"{path}:1: expected route_id, wall_id and stops")
    top = _mapping(path, root, ("route_id", "wall_id", "stops"))
    stops_node = top.get("stops")
    if not isinstance(stops_node, yaml.SequenceNode):
        raise UsageError(f"{path}:{_line(root)}: expected a list of stops")
    stops = []
    for node in stops_node.value:
        if not isinstance(node, yaml.MappingNode):
            raise UsageError(f"{path}:{_line(node)}: expected a stop with {', '.join(KEYS)}")
        said = _mapping(path, node, KEYS)
        name = said.get("name")
        stops.append(
            FileStop(
                "" if name is None else _text(path, name),
                _line(node),
                _texts(path, said.get("orders")),
                _texts(path, said.get("labels")),
            )
        )
    route_id, wall_id = top.get("route_id"), top.get("wall_id")
    return RouteFile(
        path,
        None if route_id is None else _text(path, route_id),
        None if wall_id is None else _text(path, wall_id),
        stops,
    )


def _mapping(path: Path, node: yaml.MappingNode, known: tuple[str, ...]) -> dict[str, yaml.Node]:
    found: dict[str, yaml.Node] = {}
    for key, value in node.value:
        if key.value not in known:
            raise UsageError(
                f"{path}:{_line(key)}: expected one of {', '.join(known)}, got {key.value!r}"
            )
        if key.value in found:
            raise UsageError(f"{path}:{_line(key)}: expected {key.value} once, got it twice")
        found[key.value] = value
    return found


def _text(path: Path, node: yaml.Node) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise UsageError(f"{path}:{_line(node)}: expected a word or a number, got a list")
    # As it is written: 0034… is a label and not an octal number.
    return str(node.value).strip()


def _texts(path: Path, node: yaml.Node | None) -> list[str]:
    if node is None:
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise UsageError(f"{path}:{_line(node)}: expected a list, got a single value")
    return [_text(path, one) for one in node.value]


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
