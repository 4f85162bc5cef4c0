"""The accuracy that is reported: easy shopping on seeds that nothing was tuned on.

    python -m benchmarks.reserved --days 16 --shoppers 8 --out docs/results

Runs days of the `easy` scenario from seed 10000 on, for each sensor set, in parallel over the
cores; the vision pass of a day is shared between the sets. Writes `easy.json` (every figure with
n, interval, seeds, model hashes, CPU seconds) and prints a table. A day that was done before is
not done again (its file in `--work` is kept).
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from auditor.report import summary_of_days
from sortie.day import SEEDS_RESERVED, DayPlan, demo_store_path, simulate_day
from sortie.lockstep import Sensors

__all__ = ["run"]

SETS: tuple[Sensors, ...] = ("both", "camera", "plates")
TARGETS = {"both": 0.97, "camera": 0.92, "plates": 0.85}


def one_day(seed: int, shoppers: int, folder: str) -> int:
    """All sensor sets of one day; results lie in `folder` afterwards."""
    for sensors in SETS:
        path = Path(folder) / f"easy-{seed}-{sensors}.json"
        if path.exists():
            continue
        plan = DayPlan(demo_store_path(), "easy", seed, shoppers, sensors)
        result = simulate_day(plan)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(path)
    return seed


def run(days: int, shoppers: int, work: Path, workers: int) -> dict[str, Any]:
    """Runs the days and sums them up."""
    work.mkdir(parents=True, exist_ok=True)
    seeds = list(SEEDS_RESERVED[:days])
    with ProcessPoolExecutor(workers) as pool:
        jobs = [pool.submit(one_day, seed, shoppers, str(work)) for seed in seeds]
        for count, job in enumerate(as_completed(jobs), 1):
            print(f"seed {job.result()} done, {count} of {days}", flush=True)
    out: dict[str, Any] = {
        "schema": 1,
        "scenario": "easy",
        "store": "demo",
        "seeds": [seeds[0], seeds[-1]],
        "shoppers_a_day": shoppers,
        "sensors": {},
    }
    for sensors in SETS:
        documents = {
            str(seed): json.loads((work / f"easy-{seed}-{sensors}.json").read_text("utf-8"))
            for seed in seeds
        }
        first = next(iter(documents.values()))
        out["models"] = first["models"]
        out["sensors"][sensors] = {
            **summary_of_days(documents),
            "findings_in_the_books": sum(
                len(rows)
                for one in documents.values()
                for rows in one["ledger"]["findings"].values()
            ),
            "cpu_s": round(sum(one["cpu_s"] for one in documents.values()), 1),
            "store_s": round(sum(one["store_s"] for one in documents.values()), 1),
        }
    return out


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("--days", type=int, default=16)
    parser.add_argument("--shoppers", type=int, default=8)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--work", type=Path, default=Path("runs/reserved"))
    parser.add_argument("--out", type=Path, default=Path("docs/results"))
    chosen = parser.parse_args()
    result = run(chosen.days, chosen.shoppers, chosen.work, chosen.workers)
    chosen.out.mkdir(parents=True, exist_ok=True)
    (chosen.out / "easy.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for sensors, row in result["sensors"].items():
        low, high = row["f1_interval"]
        print(
            f"{sensors:7} F1 {row['f1']:.3f} ({low:.3f} to {high:.3f}; wanted "
            f"{TARGETS[sensors]}) n={row['items']} exact {row['exact_share']:.1%} overcharged "
            f"{row['overcharged_share']:.1%} review {row['review_share']:.1%} payer "
            f"{row['association_accuracy']:.3f} findings {row['findings_in_the_books']}"
        )


if __name__ == "__main__":
    main()
