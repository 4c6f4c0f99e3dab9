"""Which point two limits of the reader's leave, how much of the plan is made, and where the limit is drawn."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.evidences import one as one_audit
from support.outline import Outline
from support.sweeps import failed, point, swept, typical, write_sweep

from audit.evidence.audit_result import write_audit
from audit.evidence.sweep_result import Sweep
from reports.charts.tradeoff_curve import curves
from reports.inputs.sweep_choice import Wanted, recommended, unmade
from reports.sweep_page.page import render_sweep
from reports.sweep_page.sections.choice import recommendation

Run = Callable[..., Result]


def three() -> Sweep:
    """Return points that leak less the more of the task they cost."""
    return swept(
        point("irene", 1, 0.30, task=0.95), point("irene", 2, 0.14, task=0.93), point("irene", 4, 0.11, task=0.88)
    )


def planned(sweep: Sweep, *names: str) -> Sweep:
    call = sweep.calls[0].model_copy(update={"planned": list(names)})
    return sweep.model_copy(update={"calls": [call]})


@pytest.mark.parametrize(
    ("wanted", "weight"), [(Wanted(0.06, 0.05), 2), (Wanted(0.5, 0.05), 1), (Wanted(0.06, 0.01), None)]
)
def test_the_point_within_both_limits_that_does_the_task_best_is_recommended(
    wanted: Wanted, weight: float | None
) -> None:
    best = recommended(three(), wanted).best
    assert (best.weight if best else None) == weight


def test_a_point_that_able_attackers_never_judged_is_not_recommended() -> None:
    doubted = three()
    figures: Any = doubted.points[2].figures
    read = [figures.read[0].model_copy(update={"verdict": "INCONCLUSIVE", "excess": figures.read[0].floor.model_copy(
        update={"value": 0.01, "low": 0.0, "high": 0.02})})]  # fmt: skip
    points = list(doubted.points)
    points[2] = points[2].model_copy(update={"figures": figures.model_copy(update={"read": read})})
    found = recommended(doubted.model_copy(update={"points": points}), Wanted(0.06, 0.05))
    assert found.best is None


def test_whether_attackers_were_able_is_told_where_it_was_asked_at_another_limit() -> None:
    unsure = "was asked at the sweep's limit of 5 points, and not at yours."
    assert recommendation(three(), Wanted(0.5, 0.05)).endswith(unsure)
    only = swept(point("irene", 4, 0.09, task=0.93))
    assert recommended(only, Wanted(0.1, 0.05)).best is not None
    assert not recommendation(only, Wanted(0.1, 0.05)).endswith(unsure), "a PASS at a smaller limit says it"
    assert recommendation(only, Wanted(0.04, 0.05)).endswith(unsure), "and not of a smaller one"


def test_a_limit_that_is_no_number_is_refused(tmp_path: Path, run: Run) -> None:
    write_sweep(three(), tmp_path / "sweep.json")
    for limits in ("--limit nan --task-loss 0.1", "--limit 0.1 --task-loss nan"):
        done = run(f"report {tmp_path}/sweep.json {limits} -o {tmp_path}/page.html")
        assert done.exit_code == 2 and "is no share from 0 to 1" in done.output
    assert not (tmp_path / "page.html").exists()


def test_every_private_attribute_has_to_be_within_the_limit() -> None:
    wanted = Wanted(0.06, 0.5)
    assert recommended(typical(), wanted).best is not None
    figures: Any = typical().points[3].figures
    other = figures.read[1]
    leaky = other.model_copy(update={"excess": other.excess.model_copy(update={"high": 0.3})})
    points = [
        one if one.figures is None else one.model_copy(
            update={"figures": one.figures.model_copy(update={"read": [one.figures.read[0], leaky]})}
        )
        for one in typical().points
    ]  # fmt: skip
    assert recommended(typical().model_copy(update={"points": points}), wanted).best is None


def test_the_page_and_the_terminal_say_what_is_recommended_and_why_not(tmp_path: Path, run: Run) -> None:
    write_sweep(three(), tmp_path / "sweep.json")
    asked = f"report {tmp_path}/sweep.json -o {tmp_path}/page.html"
    done = run(f"{asked} --limit 0.06 --task-loss 0.05")
    assert done.exit_code == 0, done.output
    assert "By your limits, an excess of 6 points and a task loss of 5 points: irene 2" in done.output
    text = Outline((tmp_path / "page.html").read_text(encoding="utf-8")).text
    assert "Recommended By your limits" in text and "audit it afresh" in text
    none = recommendation(three(), Wanted(0.06, 0.01))
    assert none.endswith(
        "2 of them are within the one on the excess, 1 within the one on the task, and none within both."
    )
    assert "Recommended" not in render_sweep(three())


def test_one_limit_alone_and_limits_of_audits_are_refused(tmp_path: Path, run: Run) -> None:
    write_sweep(three(), tmp_path / "sweep.json")
    assert "Give both" in run(f"report {tmp_path}/sweep.json --limit 0.05 -o {tmp_path}/page.html").output
    write_audit(one_audit()[0], tmp_path / "audit.json")
    told = run(f"report {tmp_path}/audit.json --limit 0.05 --task-loss 0.1 -o {tmp_path}/page.html").output
    assert "recommend a point of a sweep" in told
    assert not (tmp_path / "page.html").exists()


def test_the_page_says_how_many_of_the_planned_points_are_made() -> None:
    sweep = planned(swept(point("irene", 1, 0.3), failed("irene", 64)), "irene 1", "irene 64", "plain", "rich 8")
    assert unmade(sweep) == (4, ("plain", "rich 8"))
    text = Outline(render_sweep(sweep)).text
    assert "2 of 4 planned points are made." in text
    assert "Planned and not made yet: plain, rich 8." in text
    assert "planned" not in Outline(render_sweep(three())).text, "older evidence does not tell"


def test_the_limit_is_drawn_where_it_is_in_sight() -> None:
    (drawn,) = curves(three(), ["colour"])
    floor = max(one.figures.read[0].floor.value for one in three().points if one.figures)
    assert f"limit {100 * (floor + 0.05):.1f} %" in drawn.wide
    assert "limit" in drawn.narrow
