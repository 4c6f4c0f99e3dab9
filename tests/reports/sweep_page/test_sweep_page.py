"""The page of a sweep: which point it names, that its figures are the evidence's, and that it holds its shape."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support.browser import (
    LEAST_CONTRAST,
    NARROW,
    STANDARDS,
    WIDE,
    Scheme,
    contrasts,
    cut,
    opened,
    sticking_out,
    violations,
)
from support.evidences import HOSTILE, around_word, reworded
from support.findings import audit, sanitizing
from support.outline import Outline, assert_it_stands_alone, shape

from audit.errors import EvidenceError
from audit.evidence.audit_result import Sidecar, write_audit
from audit.evidence.findings import Verdict
from audit.evidence.json_file import write_model
from audit.evidence.numbers import bits, excess, share
from audit.evidence.sweep_result import (
    UNTOUCHED,
    Sweep,
)
from reports.cli.report import report
from reports.inputs.sweep_choice import least_read, level
from reports.render.template import write_page
from reports.sweep_page.page import render_sweep
from reports.sweep_page.sections.choice import CAVEAT, sentences
from reports.sweep_page.sections.curve import MOST_DRAWN
from sanitizer.method_table import METHODS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

from support.sweeps import FAILURE, failed, point, swept, typical, write_sweep


def text_of(sweep: Sweep) -> str:
    return Outline(render_sweep(sweep)).text


def test_the_point_named_is_the_least_read_of_those_that_keep_the_task() -> None:
    sweep = swept(
        point("irene", 1, 0.30),
        point("codebook", 1, 0.13, task=0.94),
        point("codebook", 2, 0.13, task=0.95),
        point("rich", 8, 0.11, task=0.92),
        failed("irene", 64),
    )
    assert level(sweep) == pytest.approx(0.93)
    best = least_read(sweep, "colour")
    assert best is not None and best.point is sweep.points[3], "of two that are read as little the better at the task"
    barely = swept(point("rich", 8, 0.11, task=0.93))
    found = least_read(barely, "colour")
    assert found is not None and found.point.method == "rich", "at the lower end itself the task is kept"


def test_the_answer_stands_in_one_sentence_with_intervals_task_and_rows() -> None:
    sweep = swept(point("irene", 1, 0.30), point("codebook", 2, 0.13, bound=0.17))
    said = (
        "of 2 points that keep the task, codebook 2 leaves least to read: 13.0 % (11.0–15.0) balanced accuracy "
        "against 58.0 % (56.0–60.0) untouched, where the predicted digit alone gives 11.0 % (10.0–12.0) and a guess "
        "10 %; accuracy on digit is 95.0 % (93.0–97.0) against 95.0 % (93.0–97.0); n = 1,085 test rows."
    )
    assert sentences(sweep) == [f"PASS: colour at features.7: {said}", CAVEAT]
    text = text_of(sweep)
    assert f"PASS colour at features.7 O{said[1:]}" in text
    assert "No attacker whatever can read more than 17.0 % balanced accuracy there, or 1.25 bits, each with" in text
    assert "Limit on the excess: 5 points (set by default). The task counts as kept at an accuracy of 93 %" in text


def test_a_difference_within_the_intervals_is_not_told_as_a_success() -> None:
    (line, _) = sentences(swept(point("irene", 1, 0.56), point("plain", None, 0.57)))
    assert "not clearly less than the 58.0 % (56.0–60.0) untouched" in line
    assert "against 58.0 %" not in line


def test_where_no_point_keeps_the_task_none_is_named() -> None:
    sweep = swept(point("irene", 1, 0.12, task=0.80), failed("irene", 64))
    (line, _) = sentences(sweep)
    assert line.startswith("colour at features.7: no point keeps the task: all fall below 93 %")
    page = Outline(render_sweep(sweep))
    assert "No point keeps the task" in page.text and "least read" not in page.text
    assert [attributes["class"] for tag, attributes in page.tags if tag == "article"] == ["verdict "]


def test_a_single_point_is_not_told_as_the_least_of_several() -> None:
    (line, _) = sentences(swept(point("codebook", 2)))
    assert "codebook 2 leaves, as the only point that keeps the task, 13.0 %" in line


def test_every_point_stands_with_the_figures_of_the_evidence() -> None:
    sweep = typical()
    text = text_of(sweep)
    for one in sweep.points:
        if one.figures is None:
            continue
        for found in one.figures.read:
            over = excess(found.excess, 0.05)
            told = bits(found.bits)
            for part in (
                f"{share(found.balanced_accuracy).value} ",
                f"{share(found.floor).value} {share(found.floor).interval} {over.value} {over.interval}",
                f"{over.interval} {mark(found.verdict)} {found.verdict}",
                f"{told.value} {told.interval}",
            ):
                assert part in text, part
    for part in (
        "codebook 2 95.0 % 93.0–97.0 smiling 0.910 12.0 % least read 10.0–14.0 by mlp on whitened",
        "PASS 17.0 % 1.25 bits 4 vectors", "rich 8 70.0 % 68.0–72.0 not kept",
        "codebook 2 lets nothing but a finite code, cut along the task's classes, pass the bottleneck levels 1, "
        "weight 2 8 5 61.2 s 3.0 min 1", "own.py:Mine 1 has no description on record",
        "untouched the checkpoint as it is",
        "smiling, which should stay readable; a guess: 50 %", "SHA-256 " + "b" * 64, "Fingerprint " + "d" * 64,
        "Held to select attackers 1,000 rows in 1,000 groups", "Recipe epochs 8, optimizer adam", "Seed 3",
        "5,390 rows, which no attacker saw", "Command irene sweep model.pt -o out/sweep.json Points 7",
        "38 rows are copies.",
        "--method codebook --weight 2",
    ):  # fmt: skip
        assert part in text, part


def mark(verdict: Verdict) -> str:
    return {"FAIL": "●", "INCONCLUSIVE": "◐", "PASS": "○"}[verdict]


def test_a_diverged_point_is_shown_with_its_reason_and_counted_nowhere() -> None:
    text = text_of(swept(point("codebook", 2), failed("irene", 64)))
    assert f"irene 64 failed {FAILURE}" in text
    assert "Training failed at irene 64; the tables say why." in text
    assert "irene 64 minimises the mutual information" in text and "0 failed –" in text
    assert "Training failed" not in text_of(swept(point("codebook", 2)))


def test_the_choice_is_said_to_flatter_itself_on_the_page_and_in_the_terminal() -> None:
    text = text_of(typical())
    assert CAVEAT in text
    assert "It does not show what a fresh audit of the chosen point will find." in text
    assert "Audit that checkpoint with irene audit , on rows that no sweep has seen" in text


def test_an_attacker_beyond_a_bound_and_code_that_ran_are_read_with_care() -> None:
    sweep = swept(point("codebook", 2, 0.13, bound=0.10))
    opened = sweep.checkpoint.model_copy(update={"pickle_ran": True})
    text = text_of(sweep.model_copy(update={"checkpoint": opened}))
    assert "colour at codebook 2: the strongest attacker's whole interval lies above the bound" in text
    assert "--allow-pickle" in text
    assert "--allow-pickle" not in text_of(sweep)


def test_without_bounds_and_kept_attributes_the_page_speaks_of_neither() -> None:
    text = text_of(swept(point("irene", 1)))
    assert "No attacker whatever" not in text and "where a bound on any attacker" not in text
    assert "should stay readable" not in text and "AUROC" not in text


def changed(sweep: Sweep, place: int, **changes: object) -> Sweep:
    points = list(sweep.points)
    points[place] = points[place].model_copy(update=changes)
    return sweep.model_copy(update={"points": points})


def unfounded() -> Sweep:
    sweep = swept(point("irene", 1, 0.40))
    figures = sweep.points[1].figures
    assert figures is not None
    wrong = [one.model_copy(update={"verdict": "PASS"}) for one in figures.read]
    return changed(sweep, 1, figures=figures.model_copy(update={"read": wrong}))


UNSOUND = {
    "no figures of the untouched checkpoint": swept().model_copy(update={"points": []}),
    "no figures of the untouched": changed(swept(), 0, figures=None, failure="gone"),
    "says PASS for colour at irene 1, but its own interval reaches 0.3100": unfounded(),
    "irene 1 was not audited for the attributes": swept(point("irene", 1, private=("age",))),
    "untouched was not audited": swept(private=()),
}


@pytest.mark.parametrize("said", UNSOUND)
def test_a_sweep_that_does_not_hold_together_is_refused_in_one_line(said: str, tmp_path: Path) -> None:
    with pytest.raises(EvidenceError) as error:
        write_page(tmp_path / "sweep.html", render_sweep(UNSOUND[said]))
    assert said in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def undrawn(page: str) -> list[tuple[str, tuple[str, ...]]]:
    """Return the shape of a page without its drawings, in which a longer name stands elsewhere."""
    return shape(re.sub(r"<svg.*?</svg>", "", page, flags=re.S))


def everywhere(text: str) -> Sweep:
    """Return a sweep with `text` around every string that the evidence takes; only `untouched` keeps its name."""
    sweep = reworded(typical(), around_word(text))
    return changed(sweep, 0, method=UNTOUCHED)


def test_a_hostile_name_comes_out_as_text() -> None:
    page = render_sweep(everywhere(HOSTILE))
    assert undrawn(page) == undrawn(render_sweep(everywhere("plain")))
    assert "alert(1)" in page, "else it was not shown at all"


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=4, deadline=None)
def test_no_name_changes_the_shape_of_the_page(name: str) -> None:
    assert undrawn(render_sweep(everywhere(name))) == undrawn(render_sweep(everywhere("plain")))


def test_the_page_asks_for_nothing_runs_nothing_and_holds_its_shape() -> None:
    assert_it_stands_alone(render_sweep(typical()))


def crowded(attributes: int, rounds: int) -> Sweep:
    private = [f"attribute {number}" for number in range(attributes)]
    methods = ["plain", "irene", "codebook", "kernel", "rich", "gradient-reversal", "end", "rubi"]
    return swept(
        *(
            point(name, weight + 1, 0.2 + 0.03 * weight + 0.02 * place, private=private, task=0.95 - 0.01 * place)
            for weight in range(rounds)
            for place, name in enumerate(methods)
        ),
        private=private,
    )


def test_a_page_of_many_attributes_and_points_stays_under_a_megabyte() -> None:
    page = render_sweep(crowded(MOST_DRAWN + 8, 2))
    assert len(page.encode()) < 1_000_000
    assert f"Attributes after the first {MOST_DRAWN} are not drawn" in page


def test_the_same_evidence_gives_the_same_page() -> None:
    assert render_sweep(typical()) == render_sweep(typical())


def called(*arguments: object) -> Result:
    return CliRunner().invoke(report, [str(one) for one in arguments])


def test_the_command_writes_the_page_and_the_answer_or_the_curve_alone(tmp_path: Path) -> None:
    evidence, page, picture = tmp_path / "sweep.json", tmp_path / "out/sweep.html", tmp_path / "curve.svg"
    write_sweep(typical(), evidence)
    result = called(evidence, "-o", page)
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [f"Wrote {page}", *sentences(typical())]
    assert page.read_text(encoding="utf-8") == render_sweep(typical())
    assert called(evidence, "-o", picture).exit_code == 0
    assert picture.read_text(encoding="utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("typed", "said"),
    {
        "sweep.json audit.json": "sweep.json is the evidence of a sweep, which has a page of its own",
        "audit.json sweep.json": "sweep.json is the evidence of a sweep, which has a page of its own",
        "sweep.json sweep.json": "is the evidence of a sweep, which has a page of its own",
        "model.pt.json": "model.pt.json is the record that irene sanitize left beside a checkpoint",
        "audit.json model.pt.json": "it is no evidence. Audit the checkpoint",
        "sweep.json --side-by-side": "--side-by-side is for audits",
        "sweep.json --dpia": "--dpia is for audits",
        "sweep.json --csv f.csv": "--csv is for audits",
        "sweep.json -o sweep.json": "sweep.json is the evidence itself and would be lost",
        "unfounded.json": "irene 1, colour: it says PASS, and its own figures give FAIL",
        "unfounded.json -o curve.svg": "irene 1, colour: it says PASS, and its own figures give FAIL",
        "newer.json": "schema_version",
        "list.json": "it holds no JSON object",
    }.items(),
)  # fmt: skip
def test_what_makes_no_page_is_refused_in_one_line_and_nothing_is_written(
    typed: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_sweep(typical(), Path("sweep.json"))
    write_sweep(typical().model_copy(update={"schema_version": "9"}), Path("newer.json"))
    write_sweep(unfounded(), Path("unfounded.json"))
    write_audit(audit(), Path("audit.json"))
    write_model(Sidecar(sha256="a" * 64, sanitizing=sanitizing()), Path("model.pt.json"))
    Path("list.json").write_text("[]", encoding="utf-8")
    was = {path: path.read_bytes() for path in Path().iterdir()}
    result = called(*typed.split())
    told = str(result.exception) if isinstance(result.exception, EvidenceError) else result.output
    assert result.exit_code != 0 and said in told
    assert "\n" not in told or isinstance(result.exception, SystemExit)
    assert {path: path.read_bytes() for path in Path().iterdir()} == was


@pytest.mark.parametrize("kind", ["typical", "hostile", "long"])
def test_a_browser_shows_the_page_without_a_request_an_overflow_or_a_violation(
    browser: "Browser", tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "sweep.html"
    write_page(
        path, render_sweep({"typical": typical(), "hostile": everywhere(HOSTILE), "long": everywhere("W" * 3000)}[kind])
    )
    for width in (NARROW, WIDE):
        with opened(browser, path, width=width) as (page, heard):
            assert heard.asked == [path.as_uri()] and heard.complaints == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert sticking_out(page) == []
            assert page.locator("svg:visible").count() == 4  # of each private attribute: the task, and what is kept
    if kind == "typical":
        with opened(browser, path, javascript=True) as (page, _):
            assert violations(page, STANDARDS) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_methods_name_can_be_read_and_no_print_cuts_a_curve(
    browser: "Browser", tmp_path: Path, scheme: Scheme
) -> None:
    path = tmp_path / "sweep.html"
    names = [*METHODS, "own.py:One", "own.py:Two"]
    write_page(path, render_sweep(swept(*(point(name, 1, 0.1 + 0.03 * place) for place, name in enumerate(names)))))
    with opened(browser, path, scheme=scheme, javascript=True) as (page, _):
        found = contrasts(page)
        assert len(found) > len(names)
        assert [one for one in found if one[1] < LEAST_CONTRAST] == []
        assert cut(page) == (2, []), "the answer and the curve"
