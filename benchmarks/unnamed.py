"""What nobody named: half of the attributes that could be kept are named, and what stays of both halves is read.

    python benchmarks/unnamed.py --data-root data [--sets "CelebA; smiling"] [--arms …] [--seeds 2] [--out …]

Models, rows and attributes are those of kept_cases.py; every second attribute is named to a release, and linear probes
read all of them, on rows that no release saw. What is kept is the mean AUROC above one half, as a share of what could
be kept at best (kept.py). Runs are kept, and what is there is not run again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import click
from cases import Case
from kept import ceiling, features, released, spread
from kept_cases import SETS
from removal import kept_auroc, named, read

from audit.environment import versions

ARMS = ("untouched", "codebook", "rich", "pairs, 64 words", "map", "map, 16 dimensions")


def halves(case: Case) -> Mapping[str, Case]:
    """Return the case with every second attribute, which are named, and with the others."""
    return {"named": replace(case, kept=case.kept[::2]), "not named": replace(case, kept=case.kept[1::2])}


def run(case: Case, arm: str) -> dict[str, Any]:
    """Release by one arm for what is named, and read both halves; of the model as it is, also what could be kept."""
    sides = halves(case)
    z, said = features(case, released(sides["named"], arm))
    found: dict[str, Any] = {name: kept_auroc(side, z) for name, side in sides.items()}
    if arm == "untouched":
        found["ceiling"] = {name: ceiling(side, z, said) for name, side in sides.items()}
    return found


def table(runs: Sequence[dict[str, Any]], name: str) -> str:
    """Return the runs on a set in Markdown, mean ± standard deviation over the seeds."""
    runs = [one for one in runs if one["set"] == name]
    best = {one["seed"]: one["ceiling"] for one in runs if "ceiling" in one}
    sides = ("named", "not named")
    lines = ["| release | kept of what is named ÷ ceiling | of what is not named ÷ ceiling |", "|---|---|---|"]
    for arm in ARMS:
        own = [one for one in runs if one["arm"] == arm]
        shares = [[100 * (one[side] - 0.5) / (best[one["seed"]][side] - 0.5) for one in own] for side in sides]
        if own:
            lines.append(f"| {arm} | {' | '.join(map(spread, shares))} |")
    return "\n".join(lines)


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--models", type=click.Path(path_type=Path), default=Path("out/benchmarks"), show_default=True)
@click.option("--sets", default="CelebA; smiling", show_default=True, help="`;` for a comma in a name.")
@click.option("--arms", default=",".join(arm.replace(",", ";") for arm in ARMS), help="`;` for a comma in a name.")
@click.option("--seeds", default=2, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/unnamed.jsonl"), show_default=True)
def main(data_root: Path, models: Path, sets: str, arms: str, seeds: int, out: Path) -> None:
    """Run what is missing, and print the tables."""
    chosen, wanted = named(sets, SETS, "--sets"), named(arms, ARMS, "--arms")
    out.parent.mkdir(parents=True, exist_ok=True)
    for name, seed in product(chosen, range(seeds)):
        there = {one["arm"] for one in read(out) if (one["set"], one["seed"]) == (name, seed)}
        missing = [arm for arm in wanted if arm not in there]
        case = SETS[name](data_root, models, seed) if missing else None
        for arm in missing:
            assert case is not None
            told = {"set": name, "arm": arm, "seed": seed, "date": f"{datetime.now(UTC):%Y-%m-%d}"}
            with out.open("a") as file:
                print(json.dumps({**told, "versions": versions(), **run(case, arm)}), file=file)
    for name in chosen:
        print(f"**{name}**\n\n{table(read(out), name)}\n")


if __name__ == "__main__":
    main()
