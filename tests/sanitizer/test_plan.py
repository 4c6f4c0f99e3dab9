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
from audit.evidence.audit_result import AuditResult, QuantityTask, write_audit
from audit.protocol.bound import certify
from irene.command import main
from sanitizer.method_table import release_for
from sanitizer.plan import BEYOND, KEPT, KEPT_ROWS, left_by, plan, slack

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


def test_the_bound_that_is_planned_is_about_the_one_of_codes_whose_words_lean_unequally() -> None:
    ratios, n, words = [], 8_000, 64
    for seed in range(5):
        generator = np.random.default_rng(seed)
        lean = np.exp([[0.15], [-0.15]] * generator.normal(size=words))
        shares = generator.dirichlet(np.full(words, 3.0), size=1) * lean
        shares /= shares.sum(axis=1, keepdims=True)
        floor = float(shares.max(axis=0).sum() / 2)
        v = generator.integers(0, 2, n)
        word = np.array([generator.choice(words, p=shares[one]) for one in v])
        real = certify(np.unique(word, return_inverse=True)[1].astype(np.int64), v.astype(np.int64), np.arange(n))
        planned, worst = slack(words, [n // 2, n // 2], 1.0, floor)
        assert real.balanced_accuracy - floor < worst
        ratios.append(planned / (real.balanced_accuracy - floor))
    assert 1 / 1.6 < np.mean(ratios) < 1.6


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


def test_the_bounds_of_the_kept_runs_are_no_larger_than_planned_and_on_adult_not_far_below() -> None:
    runs = [one for one in RUNS if one["certified"] and one["arm"].startswith("pairs") and one["set"] in SHARES]
    assert len(runs) >= 12
    for one in runs:
        n, share, words = one["n"][1], SHARES[one["set"]], int(one["arm"].split()[1])
        counts = [round(share * n), round((1 - share) * n)]
        planned, worst = slack(words, counts, 1.0, one["floor"], one["n"][0])
        measured = one["certified"] - one["floor"]
        assert measured < worst
        assert measured < 1.2 * planned
        if one["set"] == "Adult" and words > 64:
            assert planned < 2 * measured


def test_what_pairs_kept_is_what_the_kept_runs_on_tables_say() -> None:
    for words, told in KEPT.items():
        shares = []
        for name in ("Adult", "ACSIncome"):
            best = {one["seed"]: one["ceiling"] for one in RUNS if one["set"] == name and "ceiling" in one}
            own = [one for one in RUNS if (one["set"], one["arm"]) == (name, f"pairs, {words} words")]
            assert all(one["n"][0] >= KEPT_ROWS for one in own)
            kept = [(one["kept"] - 0.5) / (best[one["seed"]] - 0.5) for one in own if one["seed"] in best]
            shares += [np.mean(kept)] if kept else []
        assert told == pytest.approx((min(shares), max(shares)), abs=0.006)


def test_the_width_of_a_map_follows_the_law_of_rows() -> None:
    found = plan(two(), rows=2_941, limit=0.02)
    (made,) = [one for one in found.releases if one.method == "map"]
    assert made.size == 7  # 2,941 × (.02 / .4)², of equally frequent classes
    assert made.leaves == pytest.approx(left_by(7, 2_941))
    assert made.leaves <= 0.02
    assert plan(two(), rows=20_000, limit=0.02).releases[-1].size == 50
    assert made.rows_needed == pytest.approx(found.width * (0.4 / 0.02) ** 2, rel=0.01)


def test_what_is_kept_lies_within_what_could_be_kept_at_best_and_is_not_told_of_few_rows() -> None:
    found = {(one.method, one.size): one for one in plan(two(), rows=20_000).releases}
    assert plan(two(), rows=20_000).at_best == pytest.approx(0.75)
    assert found["pairs", 64].keeps == pytest.approx((KEPT[64][0] * 0.75, KEPT[64][1] * 0.75))
    assert found["pairs", 128].keeps == pytest.approx((KEPT[64][0] * 0.75, KEPT[256][1] * 0.75))
    assert [one.keeps for (method, _), one in found.items() if method in ("rich", "map")] == [None, None]
    few = {(one.method, one.size): one for one in plan(two(), rows=3_000).releases}
    assert few["pairs", 64].keeps == pytest.approx((0, KEPT[64][1] * 0.75))


def test_what_comes_beyond_the_law_of_what_is_linear_is_what_the_kept_runs_say() -> None:
    beyond = []
    for arm, rank in (("rich", 8), ("map, 16 dimensions", 16)):
        own = [one for one in RUNS if (one["set"], one["arm"]) == ("Adult", arm)]
        balanced = 4 * SHARES["Adult"] * (1 - SHARES["Adult"]) * own[0]["n"][0]
        beyond.append(np.mean([one["strongest"] - one["floor"] for one in own]) - left_by(rank, balanced))
    assert pytest.approx(sorted(beyond), abs=0.005) == BEYOND


def test_codes_fitted_by_few_rows_are_bounded_less_tightly() -> None:
    endless, some, few = (slack(64, [4_000, 4_000], 1.0, 0.55, rows)[0] for rows in (None, 8_000, 1_500))
    assert endless < some < few
    assert slack(64, [4_000, 4_000], 1.0, 0.5, 8_000)[1] == pytest.approx(
        0.4 * (64 / 8_000 + 64 / 8_000) ** 0.5 + 1.22 / 8_000**0.5, rel=0.1
    )
    assert slack(64, [4_000, 4_000], 1.0, 0.55, 10**9)[0] == pytest.approx(endless, rel=0.1)


def test_all_dimensions_leave_what_is_read_now_and_no_release_more_than_that() -> None:
    found = plan(two(), rows=10_000_000)
    assert found.releases[-1].size == found.width
    assert found.releases[-1].leaves == pytest.approx(0.30)
    assert max(one.leaves for one in plan(two(), rows=3).releases) <= 0.30 + 1e-9


def test_the_most_words_that_a_bound_holds_are_advised() -> None:
    found = plan(two(), rows=60_000)
    held = [one for one in found.releases if one.method == "pairs" and (one.bound or 1) <= 0.05]
    assert 0 < len(held) < 5
    assert found.choice == held[-1]
    missed = plan(two(1_500), rows=3_000)
    assert missed.choice.size == 32 and (missed.choice.bound or 0) > 0.05
    more = found.releases[len(held) + 1]  # the label comes first
    assert more.rows_needed is not None
    wide = plan(two(2 * more.rows_needed), rows=60_000).releases[len(held) + 1]
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


def test_the_method_that_is_advised_is_the_one_that_sanitize_takes_of_itself() -> None:
    for rows in (700, 1_279, 1_280, 20_000):
        chosen = plan(two(), rows=rows).choice.method
        assert chosen == release_for(["hat"], "classes", rows).method


def test_no_number_of_rows_is_enough_for_a_limit_of_nothing() -> None:
    assert {one.rows_needed for one in plan(two(), rows=20_000, limit=0.0).releases} == {None}


def test_a_plan_needs_classes_rows_one_layer_and_a_model_as_it_is() -> None:
    with pytest.raises(EvidenceError, match="carries a release of irene sanitize already"):
        plan(everything(after=True), rows=100)
    task = QuantityTask(
        name="age", r2=around(0.5), mae=around(4.0, 0.2), mae_of_median=8.0, missing=0, rows=2_000, answered=900
    )
    number = two().model_copy(update={"task": task})
    with pytest.raises(EvidenceError, match="The task 'age' is a quantity"):
        plan(number, rows=100)
    with pytest.raises(IreneError, match="can fit no release"):
        plan(two(), rows=0)
    with pytest.raises(EvidenceError, match="'age' is a quantity"):
        plan(audit(continuous()), rows=100)
    with pytest.raises(IreneError, match="Name the one that is released with --layer"):
        plan(everything(), rows=100)
    with pytest.raises(UnknownNameError, match="fc"):
        plan(two(), rows=100, layer="fc")


def test_the_command_says_what_the_plan_holds(tmp_path: Path, run: Callable[..., str]) -> None:
    found = two()
    write_audit(found, tmp_path / "a.json")
    told = run("plan", tmp_path / "a.json", "--rows", "2941")
    assert "sex at " in told
    assert "- the label alone (--method codebook): leaves nothing above the floor, bounded" in told
    assert "Advice: irene sanitize … --layer features.7 --method pairs --words" in told
    assert "on a table (Adult) 8 to 12 points of it" in told
    assert "At best, about 75 % of what is read of the attributes to keep" in told
    within = run("plan", tmp_path / "a.json", "--rows", "2941", "--limit", "0.4")
    assert "Nothing has to be removed for this limit." in within and "Advice" not in within
    nothing = run("plan", tmp_path / "a.json", "--rows", "2941", "--limit", "0")
    assert "no number of audited rows would bring it within the limit" in nothing
    content = json.loads(run("plan", tmp_path / "a.json", "--rows", "2941", "--json"))
    assert content["advice"].startswith("--layer features.7 --method pairs --words")
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
