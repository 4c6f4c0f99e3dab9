"""The paper's Figure 4 and Table 1 once more, with attackers that were never in the loop.

    python benchmarks/paper.py --data-root ../shared/data --scale small [--parts figure4,table1,others] [--seeds 3]
    python benchmarks/paper.py --data-root data --scale full --device cuda

`full` is the paper's own: its network, 60,000 digits, all of CelebA at 224 pixels, its recipe and ten seeds, on a GPU.
`small` is what a laptop does in hours; `kernels` has the paper's network for a few epochs. Every run is a line of
--out; a second call runs what is missing and prints the tables, and what the paper says beside
them. `paper_pictures.py` draws them.
"""

import json
import platform
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from typing import Any

import click
import torch
from paper_claims import claims
from paper_runs import (
    FIGURE,
    OTHERS,
    RELEASES,
    RHOS,
    SCALES,
    TABLE,
    TARGETS,
    VANILLA,
    Case,
    Scale,
    coloured,
    of_faces,
    other,
    read,
    released,
    trained,
)
from paper_tables import tables
from removal import named
from removal import read as runs_in
from torch import nn

from audit.environment import choose_device, versions

PARTS = ("figure4", "table1", "others")


class Runs:
    """The runs of one case: its model without removal is trained once."""

    def __init__(self, part: str, case: Case, device: torch.device) -> None:
        self._part, self._case, self._device = part, case, device
        self._vanilla: tuple[nn.Module, dict[str, Any]] | None = None

    def run(self, arm: str) -> dict[str, Any]:
        """Train and read one arm."""
        model, found = self._made(arm)
        return found | read(self._case, model)

    def _made(self, arm: str) -> tuple[nn.Module, dict[str, Any]]:
        if arm in OTHERS:
            return other(self._case, arm, self._device)
        if arm == VANILLA or arm in RELEASES:
            self._vanilla = self._vanilla or trained(self._case, FIGURE[VANILLA], self._device)
            return self._vanilla if arm == VANILLA else self._released(self._vanilla[0], arm)
        method = (FIGURE if self._part == "figure4" else TABLE)[arm]
        return trained(self._case, method, self._device)

    def _released(self, vanilla: nn.Module, arm: str) -> tuple[nn.Module, dict[str, Any]]:
        return released(self._case, vanilla, RELEASES[arm], self._device)


def plan(parts: list[str], seeds: int, only: set[str]) -> Iterator[tuple[str, Any, tuple[str, ...], int]]:
    """List the runs, seed by seed: the part, rho or the target, the arms, and the seed."""
    for seed, part in product(range(seeds), parts):
        over = {"figure4": RHOS, "table1": TARGETS, "others": RHOS[:1]}[part]
        arms = {"figure4": (*FIGURE, *RELEASES), "table1": (*TABLE, *RELEASES), "others": OTHERS}[part]
        for value in over:
            if not only or f"{value}" in only:
                yield part, value, arms, seed


def case_of(part: str, value: Any, places: Path, scale: Scale, seed: int) -> Case:
    """Open the rows of one case."""
    return of_faces(places, scale, value, seed) if part == "table1" else coloured(places, scale, value, seed)


def machine(device: torch.device) -> str:
    """Say what it runs on."""
    if device.type == "cuda":
        return torch.cuda.get_device_name()
    return f"{platform.machine()}, {torch.get_num_threads()} CPU threads"


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--scale", type=click.Choice(list(SCALES)), default="small", show_default=True)
@click.option("--parts", default=",".join(PARTS), show_default=True)
@click.option("--only", default="", help="Values of rho, or targets, with commas between them; all if left out.")
@click.option("--arms", default="", help="All if left out.")
@click.option("--seeds", type=int, help="The scale's own if left out.")
@click.option("--device", default="auto", show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/paper.jsonl"), show_default=True)
def main(
    data_root: Path, scale: str, parts: str, only: str, arms: str, seeds: int | None, device: str, out: Path
) -> None:
    """Run what is missing, and print the tables."""
    out.parent.mkdir(parents=True, exist_ok=True)
    place, size = choose_device(device), SCALES[scale]
    wanted = named(parts, PARTS, "--parts")
    chosen = set(named(arms, {*FIGURE, *TABLE, *RELEASES, *OTHERS}, "--arms")) if arms else None
    values = {*only.split(",")} - {""}
    for part, value, own, seed in plan(wanted, seeds or size.seeds, values):
        done = {one["arm"] for one in runs_in(out) if _key(one) == (part, scale, value, seed)}
        missing = [arm for arm in own if arm not in done and (chosen is None or arm in chosen)]
        if not missing:
            continue
        runs = Runs(part, case_of(part, value, data_root, size, seed), place)
        for arm in missing:
            about = {"part": part, "scale": scale, "case": value, "arm": arm, "seed": seed}
            about |= {"date": datetime.now(UTC).date().isoformat(), "machine": machine(place), "versions": versions()}
            line = json.dumps(about | runs.run(arm))
            with out.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
            click.echo(line, err=True)
    every = runs_in(out)
    for name in dict.fromkeys(one["scale"] for one in every):
        click.echo(f"{claims([one for one in every if one['scale'] == name])}\n")
    click.echo(tables(every))


def _key(one: dict[str, Any]) -> tuple[Any, ...]:
    return one["part"], one["scale"], one["case"], one["seed"]


if __name__ == "__main__":
    main()
