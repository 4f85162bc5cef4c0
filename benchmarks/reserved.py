"""The accuracy that is reported: easy shopping on seeds that nothing was tuned on.

    python -m benchmarks.reserved --days 16 --shoppers 8 --out docs/results

Runs days of the `easy` scenario from seed 10000 on, for each sensor set, as `sortie score` does:
in parallel over the cores, the vision pass of a day shared between the sets. Writes `easy.json`
(every figure with n, interval, seeds, model hashes, CPU seconds) and prints a table. A day that was
done before with the same code is not done again (its results in `--work` are kept).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from auditor.report import summary_of_days
from sortie.day import SEEDS_RESERVED, demo_store_path
from sortie.errors import ProcessFailedError
from sortie.scoring.plan import SENSOR_SETS, Request
from sortie.scoring.results import Results
from sortie.scoring.runner import jobs_of, score

__all__ = ["run"]

TARGETS = {"both": 0.97, "camera": 0.92, "plates": 0.85}


def run(days: int, shoppers: int, work: Path, workers: int) -> dict[str, Any]:
    """Runs the days and sums them up. ProcessFailedError if one of them crashed."""
    seeds = tuple(SEEDS_RESERVED[:days])
    request = Request(demo_store_path(), ("easy",), seeds, shoppers=shoppers)
    scored = score(
        request,
        jobs=workers,
        results=Results(work),
        told=lambda outcome, _: print(outcome.run, outcome.state, flush=True),
    )
    for outcome in scored.failed:
        raise ProcessFailedError(f"{outcome.run}: {outcome.reason}")
    out: dict[str, Any] = {
        "schema": 1,
        "scenario": "easy",
        "store": "demo",
        "seeds": [seeds[0], seeds[-1]],
        "shoppers_a_day": shoppers,
        "sensors": {},
        "models": scored.models,
    }
    for sensors in SENSOR_SETS:
        documents = {
            str(run.seed): document
            for run, document in scored.documents.items()
            if run.sensors == sensors
        }
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
    parser.add_argument("--workers", type=int, default=jobs_of(None))
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
