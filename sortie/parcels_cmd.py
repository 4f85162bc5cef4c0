"""`sortie parcels`: stow, list and release at a running hub, and load a van's route.

The hub is asked over its HTTP interface, with an API key where it wants one (scopes read:orders and
write:orders).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from contracts.labels import label_key
from sortie.errors import AwayError, RefusalError, UsageError
from sortie.options import JsonFile
from sortie.output import check_output, whole_lines, write_json
from sortie.route_file import RouteFile, read_route

if TYPE_CHECKING:
    import httpx

__all__ = ["parcels_app", "register"]

parcels_app = typer.Typer(
    help="Parcels at pick-up walls: stow, list, release, routes.", no_args_is_help=True
)
HubUrl = Annotated[str, typer.Option("--hub", envvar="SORTIE_HUB_URL", help="where the hub is")]
Key = Annotated[str, typer.Option("--key", envvar="SORTIE_HUB_KEY", help="an API key of the hub")]
HUB = "http://127.0.0.1:8080"
ROWS_MAX = 10_000


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(parcels_app, name="parcels")


@parcels_app.command("score")
def score_command(
    *,
    cases: Annotated[
        list[str] | None, typer.Option("--cases", help="cases by name or pattern, like 'wrong-*'")
    ] = None,
    seeds: Annotated[str, typer.Option("--seeds", help="A-B, or one seed")] = "1",
    store: Annotated[
        list[str] | None,
        typer.Option(
            "--store",
            help="stores with walls, by name or as files; each case takes the first that fits",
        ),
    ] = None,
    json_file: JsonFile = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="processes (default: one for each core)")
    ] = None,
) -> None:
    """Score the cases of a pick-up wall: what shone and what was noticed, against the truth."""
    from sortie.parcels.scoring import (
        WallRequest,
        chosen_wall_cases,
        document_of,
        score_walls,
    )
    from sortie.parcels.table import print_walls, wall_progress
    from sortie.scoring.plan import chosen_seeds
    from sortie.scoring.runner import jobs_of
    from sortie.stores import WALL_STORES, store_path

    check_output("--json", json_file)
    paths = tuple(store_path(name) for name in store or WALL_STORES)
    request = WallRequest(paths, chosen_wall_cases(cases or ()), chosen_seeds(seeds))
    with wall_progress(len(request.tasks()), Console(stderr=True)) as told:
        outcomes = score_walls(request, jobs=jobs_of(jobs), told=told)
    document = document_of(outcomes)
    print_walls(Console(), document)
    if json_file is not None:
        write_json(json_file, document)
    raise typer.Exit(1 if document["failed"] else 0)


@parcels_app.command("stow")
def stow_command(
    label: Annotated[str, typer.Argument(help="a parcel's label, or its key")],
    wall: Annotated[str, typer.Argument(help="the wall it shall stand on")],
    hub: HubUrl = HUB,
    key: Key = "",
) -> None:
    """Show on a wall where a parcel shall be put; it counts as stowed once it stands there."""
    name = _key_of(label)
    with _client(hub, key) as client:
        answer = _ask(client, "POST", f"/parcels/{quote(name, safe='')}/stow", {"wall_id": wall})
    corner = (answer.get("place_m") or [[0.0, 0.0]])[0]
    whole_lines().print(f"{name}: put it at u {corner[0]:.2f} m, z {corner[1]:.2f} m of {wall}")


@parcels_app.command("list")
def list_command(
    state: Annotated[str, typer.Option("--state", help="only parcels in this state")] = "",
    wall: Annotated[str, typer.Option("--wall", help="only those of this wall")] = "",
    json_file: JsonFile = None,
    hub: HubUrl = HUB,
    key: Key = "",
) -> None:
    """Parcels of orders that the hub knows."""
    check_output("--json", json_file)
    asked = {name: value for name, value in (("state", state), ("wall_id", wall)) if value}
    rows: list[dict[str, Any]] = []
    with _client(hub, key) as client:
        cursor: dict[str, str] = {}
        while len(rows) < ROWS_MAX:
            page = _ask(client, "GET", "/parcels", params={**asked, **cursor, "limit": "200"})
            rows += page["items"]
            if page["next"] is None:
                break
            cursor = {"cursor": page["next"]}
    if json_file is not None:
        write_json(json_file, {"parcels": rows})
    table = Table("parcel", "order", "state", "wall", "due")
    for row in rows:
        due = str(row["due_minor"] or "")
        table.add_row(row["key"], row["order_id"], row["state"], row["wall_id"] or "", due)
    Console().print(table)


@parcels_app.command("release")
def release_command(
    order: Annotated[str, typer.Argument(help="an order's id")],
    deadline_s: Annotated[
        float | None, typer.Option("--deadline", help="a new deadline, in seconds since 1970")
    ] = None,
    hub: HubUrl = HUB,
    key: Key = "",
) -> None:
    """Let what has been stowed of an order be fetched, whatever of it is still expected."""
    with _client(hub, key) as client:
        _ask(client, "POST", f"/orders/{quote(order)}/release", {"deadline_s": deadline_s})
        shown = _ask(client, "GET", f"/orders/{quote(order)}")
    ready = sum(row["state"] == "ready" for row in shown["parcels"])
    whole_lines().print(f"{order}: {ready} of {len(shown['parcels'])} parcels may be fetched")


@parcels_app.command("route")
def route_command(
    file: Annotated[Path, typer.Argument(help="stops in order, as YAML, JSON or CSV")],
    route_id: Annotated[str, typer.Option("--route", help="its id, if the file has none")] = "",
    wall: Annotated[str, typer.Option("--wall", help="the van's wall, if the file has none")] = "",
    check: Annotated[bool, typer.Option("--check", help="only look at the file")] = False,
    hub: HubUrl = HUB,
    key: Key = "",
) -> None:
    """Load the stops of a van. Faults are told by line; nothing is loaded while there are any."""
    route = read_route(file)
    name, wall_id = route_id or route.route_id or file.stem, wall or route.wall_id
    if not wall_id:
        raise UsageError(f"{file}:1: expected wall_id; give it in the file or as --wall")
    if not check:
        with _client(hub, key) as client:
            try:
                _ask(client, "POST", "/routes", route.body(name, wall_id))
            except RefusalError as error:
                raise UsageError(_by_line(route, error.detail)) from error
    parcels = sum(len(stop.orders) + len(stop.labels) for stop in route.stops)
    whole_lines().print(f"{name}: {len(route.stops)} stops, {parcels} orders and labels")


def _by_line(route: RouteFile, said: str) -> str:
    """What the hub says of stops, with the lines of the file."""
    faults = []
    for fault in said.split("; "):
        number = re.match(r"stop (\d+) ", fault)
        field = re.match(r"body\.stops\.(\d+)\b", fault)
        line = 1 if number is None else route.line_of(int(number[1]))
        if field is not None:
            line = route.line_of(int(field[1]) + 1)
        faults.append(f"{route.path}:{line}: {fault}")
    return "\n".join(faults)


def _key_of(label: str) -> str:
    if label.startswith(("sscc:", "text:")):
        return label
    try:
        return label_key(label)
    except ValueError as error:
        raise UsageError(str(error)) from error


@contextmanager
def _client(hub: str, key: str) -> Iterator[httpx.Client]:
    import httpx

    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        made = httpx.Client(base_url=f"{hub}/api/v1", headers=headers, timeout=10.0)
    except httpx.InvalidURL as error:
        raise UsageError(f"--hub {hub}: expected an address like {HUB} ({error})") from error
    except UnicodeEncodeError as error:
        raise UsageError("--key: expected an API key of the hub, got other letters") from error
    with made as client:
        yield client


def _ask(
    client: httpx.Client,
    method: str,
    path: str,
    body: dict[str, Any] | None = None,
    params: dict[str, str] | None = None,
) -> dict[str, Any]:
    """The hub's answer; AwayError without one, RefusalError with its words where it refuses."""
    import httpx

    try:
        answer = client.request(method, path, json=body, params=params)
    except httpx.HTTPError as error:
        raise AwayError(
            f"expected a hub at {client.base_url.host}:{client.base_url.port}, nobody answers "
            f"({type(error).__name__}); start it, or name another with --hub"
        ) from error
    if answer.status_code >= 400:
        try:
            detail = str(answer.json()["detail"])
        except (ValueError, KeyError, TypeError):
            detail = f"status {answer.status_code}"
        raise RefusalError(answer.status_code, detail)
    try:
        found: dict[str, Any] = answer.json()
    except ValueError as error:
        raise AwayError(
            f"expected a hub at {client.base_url.host}:{client.base_url.port}, something else "
            "answers; name the hub with --hub"
        ) from error
    return found
