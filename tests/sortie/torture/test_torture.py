"""`sortie torture`: the whole hub under every fault, by seed; and that it would find mistakes."""

from __future__ import annotations

import fcntl
import json
import os
import pickle
import sqlite3
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditor.errors import UnreadableError
from auditor.follow import STEP_CHECKS, Follower
from auditor.ledger import CHECKS
from hub.visits.model import Companion, Visit
from sortie import cli
from sortie.errors import UsageError
from sortie.torture.bank import BACK, BOOKED, OUT
from sortie.torture.checks import let_in
from sortie.torture.cli import register, seeds_of
from sortie.torture.mutations import MUTATIONS, mutated
from sortie.torture.people import Act, Shopper
from sortie.torture.plan import FAULTS, LONG_AWAY_EVERY, Plan, Trouble
from sortie.torture.points import NAMES, FailPoints, Killed
from sortie.torture.run import Result, run_seed, run_seeds, scratch
from sortie.torture.shop import places
from sortie.torture.world import World

SHORT_S = 16.0
SEEDS = range(1, 201)
"""Short ones: what `sortie bench torture` does by the thousand, here by the hundred."""
MUTATION_SEEDS = 50
CAUGHT_BY = {
    "bind-who-comes-next": 31, "code-good-twice": 18, "who-disputes-comes-in": 16, "no-lease": 8,
    "no-sync": 6,
}  # fmt: skip
"""Seeds that are known to catch what others miss: they are tried first."""


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    """All short seeds; their counts are what several tests look at. Of several processes of tests
    the first plays them, the others wait for what came of it."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return run_seeds(SEEDS, jobs=1, busy_s=SHORT_S)
    shared = tmp_path_factory.getbasetemp().parent
    with (shared / "torture.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = shared / "torture.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(run_seeds(SEEDS, jobs=1, busy_s=SHORT_S)))
        found: Result = pickle.loads(kept.read_bytes())
        return found


def test_nothing_breaks_in_two_hundred_seeds(result: Result) -> None:
    assert result.violations == []
    assert result.seeds == len(SEEDS)
    assert result.visits > 1.5 * len(SEEDS)


def test_every_fault_was_really_injected(result: Result) -> None:
    missing = {name for name in FAULTS if not result.faults[name]}
    assert missing == set()
    for name in (
        "network_dropped", "network_doubled", "network_reordered", "network_delayed",
        "network_cuts", "hub_disk_power", "hub_disk_kill", "hub_halts", "hub_recovered",
        "node_disk_kill", "gateway_hold_timeout", "gateway_hold_lost", "gateway_capture_lost",
        "gateway_hold_declined", "refund_twice", "refund_raced",
        "open_twice", "price_changed", "restocked", "row_edited", "same_key_other_amount",
        "hub_failed_openings", "resent", "card_tapped", "let_in_by_staff", "walked_in_behind",
        "told_to_tap_again", "facing_moved", "opened_for_track", "track_assigned",
        "ended_by_staff", "bank_disputed", "bank_dispute_withdrawn", "bank_dispute_won",
        "bank_dispute_lost", "bank_dispute_reinstated", "bank_refund_failed",
        "bank_dispute_decided",
    ):  # fmt: skip
        assert result.faults[name] > 0, name
    killed = {name for name in NAMES if result.faults[f"kill_at_{name}"]}
    assert killed >= {"commit.before", "commit.after", "gateway.before", "gateway.after"}


def test_every_invariant_was_really_checked(result: Result) -> None:
    named = {
        *CHECKS, *STEP_CHECKS,
        "acknowledged is stored once", "refused changes nothing", "replay gives the same digest",
        "visits close in time", "queues drain", "carts equal the truth", "prices as at the pick",
        "nobody pays for more than was taken", "an edited row is named",
        "same key, other amount is a conflict", "no hold is left at the gateway",
        "a visit has its own people's bodies", BOOKED, BACK, OUT,
    }  # fmt: skip
    assert {name for name in named if not result.checks[name]} == set()
    judged = result.checks["carts equal the truth"]
    apart = sum(count for name, count in result.checks.items() if name.startswith("("))
    assert judged > apart, "most receipts are held against the truth"


def test_the_document_has_the_promised_parts(result: Result) -> None:
    document = json.loads(json.dumps(result.document()))
    assert list(document) == ["seeds", "visits", "faults", "checks", "violations"]
    assert all(type(count) is int for count in document["faults"].values())


def test_a_seed_plays_again_step_by_step() -> None:
    first, second = (run_seed(7, busy_s=SHORT_S) for _ in range(2))
    assert first == second
    assert first.trace == second.trace
    assert run_seed(8, busy_s=SHORT_S).trace != first.trace


def test_a_hub_that_is_long_away_is_caught_up_with() -> None:
    plan = Plan.of(LONG_AWAY_EVERY)
    assert plan.long
    outcome = run_seed(LONG_AWAY_EVERY)
    assert outcome.violations == []
    assert outcome.faults["outbox_over_1000"] == 1
    assert outcome.store_s > 600.0


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_broken_build_is_caught(name: str) -> None:
    seeds = range(1, MUTATION_SEEDS + 1)
    for seed in sorted(seeds, key=lambda seed: seed != CAUGHT_BY.get(name)):
        outcome = run_seed(seed, mutation=name)
        if outcome.violations:
            return
    pytest.fail(f"{name} was not caught within {MUTATION_SEEDS} seeds")


def test_a_mutation_leaves_nothing_behind() -> None:
    from hub.wallet import service

    before = service.vat_minor
    with mutated("float-money"):
        assert service.vat_minor is not before
    assert service.vat_minor is before


def test_a_failing_seed_prints_itself(tmp_path: Path) -> None:
    register_once()
    target = tmp_path / "result.json"
    options = ["--seeds", "1", "--busy", "15", "--mutation", "unchained-events"]
    done = CliRunner().invoke(cli.app, ["torture", *options, "--jobs", "1", "--json", str(target)])
    assert done.exit_code == 1
    assert "sortie torture --seeds 1 --trace" in done.stderr
    violation = json.loads(target.read_text())["violations"][0]
    assert violation["seed"] == 1
    assert set(violation) == {"seed", "step", "invariant", "finding"}
    traced = CliRunner().invoke(cli.app, ["torture", *options, "--trace"])
    assert traced.exit_code == 1
    assert "seed 1: trace " in traced.stdout


def register_once() -> None:
    """The command line's parts are added when it starts; here there is no start."""
    if not any(command.callback.__name__ == "torture" for command in cli.app.registered_commands
               if command.callback is not None):  # fmt: skip
        register(cli.app)


@pytest.mark.parametrize("text", ["", "a", "5-3", "-1", "1-", "1-99999999999"])
def test_seeds_are_a_number_or_a_range(text: str) -> None:
    with pytest.raises(UsageError, match="expected --seeds"):
        seeds_of(text)


def test_a_mutation_has_a_name() -> None:
    with pytest.raises(UsageError, match="no-dedupe"), mutated("nonsense"):
        pass


def test_points_kill_when_their_time_has_come() -> None:
    points = FailPoints()
    points.arm("commit.after", count=2)
    points.passing("commit.before")
    points.passing("commit.after")
    with pytest.raises(Killed):
        points.passing("commit.after")
    points.passing("commit.after")
    assert points.happened == {"kill_at_commit.after": 1}
    with pytest.raises(ValueError, match="expected one of"):
        points.arm("nowhere")


# -- the auditor that follows -----------------------------------------------------------------


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a seed in which refunds were paid."""
    kept = tmp_path_factory.mktemp("books") / "hub.sqlite"
    with scratch() as folder, World(2, folder) as world:
        world.run()
        assert world.checks.violations == []
        world.side.close()
        with (
            sqlite3.connect(world.side.path) as source,
            sqlite3.connect(kept) as target,
        ):
            source.backup(target)
        source.close()
        target.close()
    return kept


def test_the_follower_finds_nothing_in_good_books(books: Path) -> None:
    follower = Follower(books)
    assert follower.step() == []
    assert follower.step() == [], "nothing is judged twice"
    follower.close()
    assert all(follower.checked[name] for name in STEP_CHECKS)


@pytest.mark.parametrize(
    ("edit", "finding"),
    [
        ("UPDATE events SET kind = 'x' WHERE number = 3", "events 3: the row does not fit"),
        ("DELETE FROM events WHERE number = 3", "events: expected number 3, found 4"),
        ("UPDATE ledger_entries SET amount_minor = amount_minor + 1 WHERE number = 1 AND line = 0",
         "transaction 1: entries do not sum to 0"),
        ("UPDATE ledger_entries SET amount_minor = 0.5 WHERE number = 1 AND line = 0",
         "an amount is not a whole number"),
        ("UPDATE ledger_transactions SET resolves = 'nothing' || number WHERE kind = 'capture'",
         ", which does not wait for it"),
        ("UPDATE events SET kind = 'visit.settled', visit_id = 'v' WHERE number IN (2, 3)",
         "visit v settles again"),
        ("UPDATE ledger_transactions SET phase = 'void' WHERE kind = 'hold'", "falls below zero"),
        ("UPDATE ledger_entries SET amount_minor = amount_minor * 100 WHERE number IN "
         "(SELECT number FROM ledger_transactions WHERE kind = 'refund')", "go back"),
        ("UPDATE stock SET on_hand = on_hand + 1 WHERE rowid = 1", "pieces are nowhere"),
        ("UPDATE products SET sold = -1 WHERE rowid = 1", "a count is -1"),
    ],
)  # fmt: skip
def test_the_follower_names_what_was_edited(
    books: Path, tmp_path: Path, edit: str, finding: str
) -> None:
    copy = tmp_path / "edited.sqlite"
    copy.write_bytes(books.read_bytes())
    with sqlite3.connect(copy) as database:
        assert database.execute(edit).rowcount > 0
    database.close()
    follower = Follower(copy)
    assert any(finding in found for found in follower.step())
    follower.close()


def test_the_follower_says_that_a_file_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "no.sqlite"
    path.write_bytes(b"nothing " * 200)
    with pytest.raises(UnreadableError, match="expected a hub's database"):
        Follower(path).step()


def test_a_put_back_of_a_piece_that_nobody_told_of_need_not_come_off() -> None:
    """Taken while the node was dead, put back and taken again: one piece was carried out."""
    place = places()[0]
    acts = [
        Act(place, n, True, 1.0, 2.0, told=told) for n, told in ((1, None), (-1, "b"), (1, "c"))
    ]
    one = Shopper(0, None, 0.0, acts=acts)
    must, may = one.expected()
    assert (must, may) == (Counter(), Counter({place.gtin: 1}))
    acts[0].told = "a"
    assert one.expected() == (Counter({place.gtin: 1}), Counter({place.gtin: 1}))


@pytest.mark.parametrize("point", ["commit.after", "rebuild"])
def test_a_second_hub_that_is_killed_takes_the_first_along(point: str) -> None:
    """The points are put around every hub; whichever passes one first is killed there."""
    with scratch() as folder, World(1, folder, busy_s=SHORT_S) as world:
        while world.now_s < SHORT_S / 2 or not world.side.up:
            world.step()
        world.points.arm(point)
        world.troubles._second_hub(Trouble(world.now_s, "second_hub", 0.0, 0.0, 1, point))
        assert world.faults["second_hub_killed"] == 1
        assert world.side.hub is None
        world.run()
        assert world.checks.violations == []


def test_a_second_hub_that_cannot_read_the_database_ends_the_first_one_as_well() -> None:
    """It has the lease by then; who is locked out of the database was not what went wrong."""
    with scratch() as folder, World(1, folder, busy_s=SHORT_S) as world:
        while world.now_s < SHORT_S / 2 or not world.side.up:
            world.step()
        assert world.side.lock()
        world.troubles._second_hub(Trouble(world.now_s, "second_hub", 0.0, 0.0, 1, ""))
        assert world.faults["second_hub_refused"] == 1
        world.side.unlock()
        world.run()
        assert world.checks.violations == []


def test_a_visit_that_was_refused_let_nobody_in() -> None:
    """Who had shown a code of it was turned away; staff may have put them on another one since."""
    visit = Visit("v", "payer", "token", "", 0.0, 0.0, scanned_s=1.0, stage="shopping")
    visit.companions.append(Companion("entry", 2.0))
    assert let_in(visit) == 2
    visit.stage = "refused"
    assert let_in(visit) == 0
    visit.companions[0].bound = True
    assert let_in(visit) == 1
    assert let_in(Visit("v", "payer", "token", "", 0.0, 0.0)) == 0
