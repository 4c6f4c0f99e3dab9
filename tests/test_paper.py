"""The paper's reproduction: its command end to end at a tiny scale, its settings at the full one, and its tables."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import paper_pictures
from paper import plan
from paper_claims import Found, claims, verdict
from paper_runs import ALPHA, FIGURE, GAMMAS, RELEASES, SCALES, TABLE, coloured
from paper_tables import OF_FIGURE, PUBLISHED, scales, tables
from removal import read
from support.machine import REAL

from audit.model.example_networks import biased_mnist
from sanitizer.methods.irene import Irene

HERE = Path(__file__).parents[1]
RUNS = read(HERE / "benchmarks" / "paper.jsonl")
PAGE = (HERE / "docs" / "paper.md").read_text(encoding="utf-8")


def paper(*typed: str | Path) -> str:
    """Run the benchmark and return what it prints."""
    called = [sys.executable, "-W", "ignore", str(HERE / "benchmarks" / "paper.py"), *map(str, typed)]
    place = os.environ | {"PYTHONPATH": str(HERE)}
    return subprocess.run(called, env=place, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_the_command_trains_reads_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    out = tmp_path / "paper.jsonl"
    asked = ("--scale", "tiny", "--parts", "figure4", "--only", "0.1", "--out", out)
    paper(*asked, "--arms", "vanilla,RUBi")
    first = out.read_text(encoding="utf-8")
    printed = paper(*asked, "--arms", "vanilla,RUBi,IRENE,label (ours)")
    assert out.read_text(encoding="utf-8").startswith(first)
    runs = read(out)
    assert [one["arm"] for one in runs] == ["vanilla", "RUBi", "IRENE", "label (ours)"]
    assert printed.strip() == f"{claims(runs)}\n\n{tables(runs)}"
    vanilla, *_, label = runs
    assert vanilla["strongest"] > 0.5  # the colour is all that two epochs see
    assert vanilla["head"] is not None
    assert "head" not in label
    assert label["bound"] is not None
    assert label["strongest"] < vanilla["strongest"]


@pytest.mark.slow
@pytest.mark.data("celeba")
def test_table_1_runs_on_real_faces(tmp_path: Path) -> None:
    out = tmp_path / "paper.jsonl"
    asked = ("--scale", "tiny", "--parts", "table1", "--only", "Blond_Hair", "--arms", "vanilla,IRENE; gamma 0.5")
    printed = paper(*asked, "--data-root", REAL, "--out", out)
    assert "| Blond_Hair | IRENE, gamma 0.5 | 1 | 95.28 ± 0.09 |" in printed
    assert [one["n"][0] for one in read(out)] == [500, 500]


@pytest.mark.data("MNIST")
def test_the_full_scale_is_the_papers() -> None:
    full = SCALES["full"]
    case = coloured(REAL, full, 0.9, seed=0)
    recipe = case.recipe
    assert (len(case.train), len(case.rows), full.seeds, full.side) == (60_000, 10_000, 10, 224)
    assert full.network is biased_mnist
    assert (recipe.epochs, recipe.batch_size, recipe.optimizer, recipe.lr, recipe.weight_decay) == (
        80, 100, "sgd", 0.1, 1e-4
    )  # fmt: skip
    assert (recipe.schedule, recipe.choose, full.faces_schedule) == ("steps", "last", "plateau")
    assert (ALPHA, FIGURE["IRENE"], GAMMAS) == (0.5, Irene(weight=0.5), (0.1, 0.5, 1.0))


def test_the_plan_has_every_rho_target_and_arm() -> None:
    runs = [
        (part, value, arm, seed) for part, value, arms, seed in plan(["figure4", "table1"], 2, set()) for arm in arms
    ]
    assert len(runs) == len(set(runs)) == 2 * (7 * (5 + len(RELEASES)) + 3 * (4 + len(RELEASES)))
    assert {(target, arm) for target, arm in PUBLISHED} == {
        (value, arm) for part, value, arm, _ in runs if part == "table1" and arm in TABLE
    }


def test_the_page_has_the_tables_of_the_runs_that_are_kept() -> None:
    assert RUNS
    for block in tables(RUNS).split("\n\n"):
        assert block in PAGE


def test_the_page_says_of_each_claim_of_the_paper_what_was_measured() -> None:
    small = [one for one in RUNS if one["scale"] == "small"]
    assert claims(small) in PAGE
    assert len(claims(small).splitlines()) == 2 + 7 + 4


def test_what_was_run_at_two_scales_stands_side_by_side() -> None:
    one = dict.fromkeys(OF_FIGURE, 0.5) | {"arm": "vanilla", "case": 0.9, "scale": "small"}
    runs = [one, one | {"arm": "IRENE"}, one | {"scale": "kernels", "task": 0.8}, one | {"case": 0.1}]
    (table,) = scales(runs)
    head, _, *lines = table.splitlines()
    assert head.startswith(
        "| rho 0.9 | scale | seeds | digits right | colour read by the head in the loop | colour read"
    )
    assert [line.split(" | ")[1:4] for line in lines] == [["`small`", "1", "50.0"], ["`kernels`", "1", "80.0"]]
    assert scales([one, one | {"scale": "kernels", "arm": "IRENE"}]) == []


def test_a_claim_agrees_everywhere_somewhere_or_nowhere() -> None:
    yes, no = Found("0.1", "", agrees=True), Found("0.9", "", agrees=False)
    assert [verdict([yes]), verdict([no]), verdict([yes, no])] == [
        "**agrees**", "**differs**", "agrees, **except** 0.9"
    ]  # fmt: skip


@pytest.mark.parametrize(("read", "said"), [(0.14, "**agrees**"), (0.5, "**differs**")])
def test_a_colour_that_a_fresh_attacker_reads_was_not_removed_whatever_the_head_says(read: float, said: str) -> None:
    one = {"part": "figure4", "case": 0.1, "task": 0.9, "head": 0.1, "floor": 0.1}
    runs = [one | {"arm": "vanilla", "strongest": 0.9}, one | {"arm": "IRENE", "strongest": read}]
    told = f"0.1: {100 * read:.1f} (floor 10.0) | {said} |"
    assert f"So the colour is removed (% that a fresh attacker reads) | {told}" in claims(runs)


@pytest.mark.parametrize(
    ("head_right", "strongest", "collapsed"), [(0.2, 0.7, True), (0.2, 0.52, False), (0.6, 0.7, False)]
)
def test_a_collapse_is_a_head_below_the_most_frequent_class_where_fresh_attackers_read(
    head_right: float, strongest: float, collapsed: bool
) -> None:
    one: dict[str, Any] = {"head_right": head_right, "majority": 0.58, "strongest": strongest, "chance": 0.5}
    assert paper_pictures.is_collapse(json.loads(json.dumps(one))) is collapsed
