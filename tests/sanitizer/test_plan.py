"""A plan from the evidence of an audit: its laws against simulation and kept runs, its advice, and its refusals."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from support.evidences import everything
from support.findings import (
    around,
    audit,
    continuous,
    leakage,
    of_classes,
    readable,
    remeasured,
    task_less,
    whole,
)

from audit.errors import EvidenceError, IreneError, UnknownNameError
from audit.evidence.audit_result import AuditResult, write_audit
from audit.protocol.bound import certify
from irene.command import main
from sanitizer.method_table import release_for
from sanitizer.plan import KEPT, left_by, plan, slack

RUNS = [
    json.loads(line)
    for line in Path(__file__).parents[2].joinpath("benchmarks/kept.jsonl").read_text().split("\n")
    if line
]


def two(rows: int = 20_000, floor: float = 0.55, **more: Any) -> AuditResult:
    """Return an audit of one binary attribute, and one to keep of which three quarters could stay."""
    found = leakage("sex", 0.85, classes=("f", "m"))
    each = [
        one.model_copy(update={"train": rows // 4, "select": rows // 8, "test": rows // 8})
        for one in found.measurement.classes
    ]
    figures = of_classes(around(0.85), around(0.92), around(0.4, 0.02))
    floors = {"balanced_accuracy": around(floor, 0.005), "bits": around(0.01, 0.005)}
    found = remeasured(found, classes=each, figures=figures, floor=floors, excess=around(0.85 - floor))
    kept = remeasured(readable("hat", read=0.88, auroc=0.90), at_best=around(0.80))
    return audit(found, kept, **more)


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_that_is_planned_is_about_the_one_of_a_code_whose_words_lean_unequally(seed: int) -> None:
    generator, n, words = np.random.default_rng(seed), 8_000, 64
    shares = generator.dirichlet(np.full(words, 3.0), size=1) * np.exp([[0.15], [-0.15]] * generator.normal(size=words))
    shares /= shares.sum(axis=1, keepdims=True)
    floor = float(shares.max(axis=0).sum() / 2)
    v = generator.integers(0, 2, n)
    word = np.array([generator.choice(words, p=shares[one]) for one in v])
    real = certify(np.unique(word, return_inverse=True)[1].astype(np.int64), v.astype(np.int64), np.arange(n))
    planned, worst = slack(words, [n // 2, n // 2], 1.0, floor)
    assert 1 / 1.6 < planned / (real.balanced_accuracy - floor) < 1.6
    assert real.balanced_accuracy - floor < worst


def test_the_bound_shrinks_with_the_root_of_the_rows_or_faster_and_grows_with_words_and_copies() -> None:
    some, worst = slack(128, [4_000, 4_000], 1.0, 0.55)
    assert some / 3 < slack(128, [16_000, 16_000], 1.0, 0.55)[0] < some / 1.9
    assert slack(128, [16_000, 16_000], 1.0, 0.55)[1] == pytest.approx(worst / 2, rel=0.1)
    assert worst == pytest.approx(
        0.4 * (128 / 8_000) ** 0.5 + 1.22 / 8_000**0.5, rel=0.1
    )  # SCIENCE, the slack of a code
    assert slack(256, [4_000, 4_000], 1.0, 0.55)[0] > some > slack(32, [4_000, 4_000], 1.0, 0.55)[0]
    assert slack(128, [16_000, 16_000], 0.25, 0.55) == pytest.approx((some, worst))


SHARES = {
    "Adult": 0.33,
    "ACSIncome": 0.48,
    "CelebA, smiling": 0.42,
    "CelebA, blond hair": 0.42,
    "CelebA, eyeglasses": 0.42,
}
"""Of the rarer private class among the audited rows, about."""


def test_the_bounds_of_the_kept_runs_are_below_the_worst_and_on_few_rows_about_what_is_planned() -> None:
    runs = [one for one in RUNS if one["certified"] and one["arm"].startswith("pairs") and one["set"] in SHARES]
    assert len(runs) >= 12
    for one in runs:
        n, share, words = one["n"][1], SHARES[one["set"]], int(one["arm"].split()[1])
        planned, worst = slack(words, [round(share * n), round((1 - share) * n)], 1.0, one["floor"])
        measured = one["certified"] - one["floor"]
        assert measured < worst
        assert measured < 1.6 * planned
        if one["set"] == "Adult" and words > 64:
            assert planned < 1.6 * measured


def test_what_releases_kept_is_what_the_kept_runs_say() -> None:
    of = {"pairs": ("pairs, 64 words", "pairs, 256 words"), "map": ("map", "map, 16 dimensions")}
    for method, arms in of.items():
        shares = []
        for name in {one["set"] for one in RUNS}:
            best = {one["seed"]: one["ceiling"] for one in RUNS if one["set"] == name and "ceiling" in one}
            for arm in arms:
                own = [one for one in RUNS if (one["set"], one["arm"]) == (name, arm) and one["seed"] in best]
                shares += [np.mean([(one["kept"] - 0.5) / (best[one["seed"]] - 0.5) for one in own])] if own else []
        assert KEPT[method] == pytest.approx((min(shares), min(1.0, max(shares))), abs=0.006)


def test_the_width_of_a_map_follows_the_law_of_rows() -> None:
    found = plan(two(), rows=2_941, limit=0.02)
    (made,) = [one for one in found.releases if one.method == "map"]
    assert made.size == 7  # 2,941 × (.02 / .4)², of equally frequent classes
    assert made.leaves == pytest.approx(left_by(7, 2_941))
    assert made.leaves <= 0.02
    assert plan(two(), rows=20_000, limit=0.02).releases[-1].size == 50
    assert made.rows_needed == pytest.approx(found.width * (0.4 / 0.02) ** 2, rel=0.01)


def test_what_is_kept_lies_within_what_could_be_kept_at_best() -> None:
    found = plan(two(), rows=20_000)
    assert found.at_best == pytest.approx(0.75)
    for one in found.releases:
        assert one.keeps is not None
        assert one.keeps[1] <= 0.75 + 1e-9 or one.method == "codebook"
    assert found.releases[-1].keeps == pytest.approx((KEPT["map"][0] * 0.75, KEPT["map"][1] * 0.75))


def test_the_most_words_that_a_bound_holds_are_advised() -> None:
    found = plan(two(), rows=20_000)
    held = [one for one in found.releases if one.method == "pairs" and (one.bound or 1) <= 0.05]
    assert 0 < len(held) < 5
    assert found.choice == held[-1]
    more = found.releases[len(held) + 1]  # the label comes first
    wide = plan(two(2 * more.rows_needed), rows=20_000).releases[len(held) + 1]
    assert (more.bound or 0) > 0.05 > (wide.bound or 1)


def test_codes_have_as_many_words_as_rows_can_tell_apart() -> None:
    assert [one.size for one in plan(two(), rows=1_000).releases if one.method == "pairs"] == [32]
    assert [one.size for one in plan(two(), rows=1_300).releases if one.method == "pairs"] == [32, 64]


def test_without_anything_to_keep_the_label_is_advised_and_without_a_task_a_map() -> None:
    bare = two().model_copy(update={"findings": [whole(one) for one in two().private]})
    assert plan(bare, rows=20_000).choice.method == "codebook"
    assert plan(bare, rows=20_000).at_best is None
    alone = task_less().model_copy(update={"findings": two().findings})
    assert [one.method for one in plan(alone, rows=20_000).releases] == ["map"]
    assert plan(alone, rows=20_000).choice.method == "map"


def test_a_plan_needs_classes_rows_and_one_layer() -> None:
    with pytest.raises(IreneError, match="can fit no release"):
        plan(two(), rows=0)
    with pytest.raises(EvidenceError, match="'age' is a quantity"):
        plan(audit(continuous()), rows=100)
    with pytest.raises(IreneError, match="Name the one that is released with --layer"):
        plan(everything(), rows=100)
    with pytest.raises(UnknownNameError, match="fc"):
        plan(two(), rows=100, layer="fc")


def test_what_is_not_linear_is_said(tmp_path: Path, run: Callable[..., str]) -> None:
    found = two()
    write_audit(found, tmp_path / "a.json")
    told = run("plan", tmp_path / "a.json", "--rows", "2941")
    assert "sex at " in told
    assert "- the label alone (--method codebook): leaves nothing above the floor" in told
    assert "Advice: irene sanitize … --method pairs" in told
    assert "No release can keep more than about 75 %" in told
    content = json.loads(run("plan", tmp_path / "a.json", "--rows", "2941", "--json"))
    assert content["advice"].startswith("--method pairs --words")
    assert content["releases"][-1]["method"] == "map"


@pytest.fixture
def run() -> Callable[..., str]:
    def ran(*words: object) -> str:
        done = CliRunner().invoke(main, [*map(str, words)])
        assert done.exit_code == 0, done.output
        return done.output

    return ran


def test_the_release_that_nobody_named_says_what_it_gives_up() -> None:
    chosen = {
        (): release_for([], "classes", 9_000),
        ("keep",): release_for(["hat"], "classes", 9_000),
        ("keep", "few"): release_for(["hat"], "classes", 900),
        ("quantity",): release_for([], "quantity", 9_000),
        ("no task",): release_for([], None, 9_000),
    }
    assert [one.method for one in chosen.values()] == ["codebook", "pairs", "rich", "rich", "map"]
    assert all("given up" in one.why or "without one" in one.why for one in chosen.values())
