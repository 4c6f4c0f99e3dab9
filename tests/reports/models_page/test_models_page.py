"""The page of several models: that only like stands beside like, and that leakage never stands without its task."""

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st
from support.browser import NARROW, STANDARDS, WIDE, opened, sticking_out, violations
from support.cards import card
from support.evidences import HOSTILE, around_word, everything, reworded
from support.findings import (
    TASK,
    around,
    audit,
    certified,
    continuous,
    leakage,
    readable,
    regression,
    remeasured,
    sanitizing,
    task_less,
)
from support.outline import Outline, assert_it_stands_alone, shape

from audit.errors import EvidenceError
from audit.evidence.audit_result import AuditResult, write_audit
from audit.evidence.headline import written, written_excess
from reports.cli.report import report
from reports.inputs.several_models import gather
from reports.models_page.page import render_models, verdict_lines
from reports.models_page.sections.cells import MOST_LINES
from reports.models_page.sections.task import MOST, differences
from reports.render.template import write_page
from reports.text.sentences import sentences

if TYPE_CHECKING:
    from playwright.sync_api import Browser

Audits = dict[str, AuditResult]


def model(sha: str, *found: Any, method: str = "", file: str = "model.pt", **changes: Any) -> AuditResult:
    """Return the audit of one of several checkpoints on the same rows."""
    made = sanitizing().model_copy(update={"method": method, "card": card(method)}) if method else None
    result = audit(*found, sha=sha * 64, made=made, **changes)
    return result.model_copy(update={"checkpoint": result.checkpoint.model_copy(update={"file": file})})


def three() -> Audits:
    """Return three models with everything in them: a bound, a number, kept attributes, and all verdicts."""
    task = TASK.model_copy(update={"accuracy": around(0.931)})
    rest = continuous(), readable(), regression()
    less = continuous(read=0.02, verdict="PASS"), readable(read=0.80, auroc=0.84), regression()
    return {
        "out/before.json": model("b", leakage(read=0.58), *rest),
        "out/code.json": model("a", certified(leakage(read=0.13, verdict="PASS"), 0.17), *less, method="codebook",
                               file="clean.pt", task=task),
        "out/mine.json": model("c", leakage(read=0.16, verdict="INCONCLUSIVE"), *rest, method="own.py:Mine",
                               file="clean.pt"),
    }  # fmt: skip


def test_the_page_does_not_tell_where_evidence_lies_on_the_machine() -> None:
    page = text_of({f"/home/ada/secret/{number}/audit.json": one for number, one in enumerate(three().values())})
    assert "evidence: audit.json" in page and "secret" not in page


def text_of(audits: Audits) -> str:
    return Outline(render_models(audits)).text


def test_every_leakage_stands_beside_the_task_and_what_was_kept_with_the_figures_of_the_evidence() -> None:
    text, audits = text_of(three()), three()
    for number, result in enumerate(audits.values(), 1):
        assert result.task is not None
        assert [found.attribute for found in result.private] == ["colour", "age"]
        for found in result.private:
            measurement = found.measurement
            read, over = written(measurement, measurement.score), written_excess(found)
            assert f"{found.decided.verdict} {read.value} {read.interval} by {measurement.strongest}" in text
            assert f"{over.value} {over.interval}" in text
        assert f"{number} {result.checkpoint.file}" in text
    for part in (
        "2 clean.pt codebook ○ PASS 13.0 % 11.0–15.0 by mlp on standardised 12.0 % 11.0–13.0 1.0 points −1.3 to 3.3 "
        "93.1 % 91.1–95.1 smiling 0.840 height 0.610 R² 17.0 % 1.25 bits",
        "2 clean.pt codebook 93.1 % 91.1–95.1 ○ PASS excess 1.0 points −1.3 to 3.3 ○ PASS excess 0.010",
        "colour at features.7: 1 FAIL, 1 INCONCLUSIVE, 1 PASS of 3 models.",
        "Any attacker, at most", "2 clean.pt: ○ 13.0 % (11.0–15.0)",
    ):  # fmt: skip
        assert part in f"{text} {drawings(three())}", part


def drawings(audits: Audits) -> str:
    return " ".join(re.findall(r"<desc[^>]*>(.*?)</desc>", render_models(audits)))


def test_the_models_stand_in_the_order_given_and_none_is_ranked() -> None:
    audits = three()
    turned = dict(reversed(audits.items()))
    assert [one.name for one in gather(turned).models] == ["1 clean.pt", "2 clean.pt", "3 model.pt"]
    text = text_of(turned)
    places = [text.index(f"{name} evidence") for name in ("1 clean.pt", "2 clean.pt", "3 model.pt")]
    assert places == sorted(places)
    assert "none is ranked" in text
    assert not re.search(r"\b(winner|rank [0-9]|score)\b", text)


def test_which_model_is_which_stands_with_file_hash_method_and_parent() -> None:
    text = text_of(three())
    for part in (
        f"1 model.pt evidence: out/before.json audited 2026-07-04 no record of a sanitizer {'b' * 64}",
        "2 clean.pt evidence: out/code.json audited 2026-07-04 codebook lets nothing but a finite code, cut along the "
        f"task's classes, pass the bottleneck from 1 model.pt {'a' * 64}",
        f"own.py:Mine has no description on record from 1 model.pt {'c' * 64}",
    ):
        assert part in text, part
    alone = {name: one for name, one in three().items() if name != "out/before.json"}
    assert "from bbbbbbbbbbbb…, which is not on this page" in text_of(alone)


def test_a_difference_from_the_first_model_is_paired_where_both_have_draws_and_said_not_to_be_where_not() -> None:
    read = [0.58 + 0.001 * (n % 40 - 20) for n in range(1000)]
    first = remeasured(leakage(read=0.58), draws={"balanced_accuracy": read, "excess": read})
    less = [one - 0.18 + 0.0001 * (n % 7) for n, one in enumerate(read)]
    second = remeasured(leakage(read=0.40), draws={"balanced_accuracy": less, "excess": less})
    text = text_of({"a": model("a", first), "b": model("b", second)})
    assert "Differences from the first model are taken resample by resample" in text
    assert "differences from 1 model.pt Model Strongest fresh attacker" in text
    assert "2 model.pt −18.00 points −18.00 to −17.94" in text
    undrawn = {
        name: made.model_copy(update={"findings": [remeasured(one, draws={}) for one in made.findings]})
        for name, made in (("a", model("a", leakage(read=0.58))), ("b", model("b", leakage(read=0.40))))
    }
    old = text_of(undrawn)
    assert "cannot be paired" in old and "2 model.pt −18.0 points −20.8 to −15.2" in old


def unlike(**changes: Any) -> AuditResult:
    return model("c", **changes)


UNLIKE = {
    "they differ in: seed (0 before, 7 after)": unlike(protocol=audit().protocol.model_copy(update={"seed": 7})),
    "they differ in: data fingerprint": unlike(data=audit().data.model_copy(update={"fingerprint": "f" * 64})),
    "they differ in: task": unlike(task=TASK.model_copy(update={"name": "parity"})),
    "they differ in: attributes and layers": model("c", leakage("age")),
    "they differ in: kept attributes and layers": model("c", leakage(), readable()),
    "they differ in: limit": unlike(protocol=audit().protocol.model_copy(update={"limit": 0.5})),
    "a.json and c.json audit the same checkpoint": model("a"),
    "says PASS for colour": model("c", leakage(read=0.40, verdict="PASS")),
}


@pytest.mark.parametrize("said", UNLIKE)
def test_unlike_audits_are_refused_in_one_line_that_names_both_files(said: str, tmp_path: Path) -> None:
    audits = {"a.json": model("a"), "b.json": model("b"), "c.json": UNLIKE[said]}
    with pytest.raises(EvidenceError) as error:
        write_page(tmp_path / "models.html", render_models(audits))
    assert said in str(error.value) and "c.json" in str(error.value) and "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_child_may_stand_before_its_parent() -> None:
    child, parent = model("a", method="irene"), model("b")
    assert child.checkpoint.sanitizing is not None
    assert child.checkpoint.sanitizing.parent_sha256 == parent.checkpoint.sha256
    for audits in ({"child": child, "parent": parent}, {"parent": parent, "child": child}):
        assert "irene minimises" in text_of(audits)
    other = unlike(protocol=audit().protocol.model_copy(update={"seed": 7}), checkpoint=parent.checkpoint)
    with pytest.raises(EvidenceError, match=r"^old.json \(before\) beside new.json \(after\): .*\(7 before, 0 after\)"):
        gather({"new.json": child, "old.json": other})


def test_one_model_alone_is_no_comparison() -> None:
    with pytest.raises(EvidenceError, match="two or more"):
        gather({"a.json": model("a")})


def test_a_warning_of_one_model_is_told_with_its_number_and_one_of_all_once() -> None:
    shared = ["One attacker did not run."]
    audits = {"a": model("a", warnings=[*shared, "Few rows."]), "b": model("b", warnings=shared)}
    text = text_of(audits)
    assert text.count("One attacker did not run.") == 1
    assert "1: Few rows." in text
    opened = model("c").checkpoint.model_copy(update={"pickle_ran": True, "architecture": "own:Net"})
    text = text_of({**audits, "c": model("c", warnings=shared).model_copy(update={"checkpoint": opened})})
    assert "3: code inside the checkpoint file ran" in text
    assert "The models are of different architectures" in text and "different architectures" not in text_of(audits)


def test_without_a_task_the_page_says_what_it_cannot_show() -> None:
    audits = {sha: task_less().model_copy(update={"checkpoint": model(sha).checkpoint}) for sha in ("a", "b")}
    text = text_of(audits)
    assert "No task was named; the floor is chance." in text and "no task" in text
    assert "the model's own floor" not in text_of(audits)


def test_many_attributes_are_counted_rather_than_set_side_by_side() -> None:
    few, many = (
        text_of({sha: model(sha, *(leakage(f"attribute {one}") for one in range(number))) for sha in ("a", "b")})
        for number in (5, 6)
    )
    assert "Accuracy on the task attribute 0 at features.7 attribute 1" in few
    assert "Accuracy on the task Verdicts 1 model.pt 96.2 % 95.4–97.0 6 FAIL" in many


def test_a_page_of_many_attributes_and_layers_stays_under_a_megabyte_with_every_figure_in_a_table() -> None:
    found = [leakage(f"attribute {one}", layer=f"layer {layer}") for one in range(20) for layer in range(3)]
    page = render_models({sha: model(sha, *found) for sha in ("a", "b", "c", "d")})
    assert len(page.encode()) < 1_000_000
    assert page.count("<figure>") == MOST_LINES // 4 + 1, "and one of the task"
    assert "attribute 19 at layer 2, in every model" in page


def everywhere(text: str) -> Audits:
    """Return three models with `text` around every string that their evidence takes."""
    word = around_word(text)
    return {word(name): reworded(result, word) for name, result in three().items()}


def undrawn(page: str) -> list[tuple[str, tuple[str, ...]]]:
    return shape(re.sub(r"<svg.*?</svg>", "", page, flags=re.S))


def test_a_hostile_name_comes_out_as_text() -> None:
    page = render_models(everywhere(HOSTILE))
    assert undrawn(page) == undrawn(render_models(everywhere("plain")))
    assert "alert(1)" in page, "else it was not shown at all"
    tags, plain = (Counter(tag for tag, _ in Outline(one).tags) for one in (page, render_models(everywhere("plain"))))
    assert not tags["script"] and not tags["img"] and tags["b"] == plain["b"]


@given(st.text(min_size=1, max_size=60))
@settings(max_examples=4, deadline=None)
def test_no_name_changes_the_shape_of_the_page(name: str) -> None:
    assert undrawn(render_models(everywhere(name))) == undrawn(render_models(everywhere("plain")))


def test_the_page_asks_for_nothing_and_holds_its_shape() -> None:
    page = render_models(three())
    assert_it_stands_alone(page)
    assert render_models(three()) == page, "the same evidence gives the same page"


def called(*arguments: object) -> Result:
    return CliRunner().invoke(report, [str(one) for one in arguments])


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audits:
    """Three audits in the folder to work in, by their files' names."""
    monkeypatch.chdir(tmp_path)
    audits = {f"{name}.json": model(name, leakage(read=0.58)) for name in "abc"}
    for name, result in audits.items():
        write_audit(result, Path(name))
    return audits


def test_three_audits_make_the_page_and_two_do_if_they_are_asked_to(saved: Audits) -> None:
    result = called(*saved, "-o", "models.html")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == ["Wrote models.html", *verdict_lines(saved)]
    assert verdict_lines(saved)[0] == f"1 model.pt: {sentences(saved['a.json'])[0]}"
    assert "3 models side by side" in Path("models.html").read_text(encoding="utf-8")
    for asked, many in (([], False), (["--side-by-side"], True)):
        assert called("a.json", "b.json", *asked, "-o", "two.html").exit_code == 0
        assert ("2 models side by side" in Path("two.html").read_text(encoding="utf-8")) is many


@pytest.mark.parametrize(
    ("typed", "said"),
    {
        "a.json b.json a.json": "a.json is given twice",
        "a.json b.json ./a.json": "a.json is given twice",
        "a.json a.json --side-by-side": "a.json is given twice",
        "a.json b.json copy.json": "a.json and copy.json audit the same checkpoint",
        "a.json --side-by-side": "is for two audits or more; there is one",
        "a.json b.json c.json --dpia": "--dpia is for one audit, or for two of them",
        "a.json b.json --side-by-side --dpia": "--dpia is for one audit, or for two of them",
        "a.json b.json c.json -o c.json": "c.json is the evidence itself and would be lost",
        "a.json b.json c.json -o x.svg": "x.svg names a picture, which only a sweep has",
        "a.json b.json unlike.json": "a.json (before) beside unlike.json (after): Cannot compare",
        "a.json -o a.html --dpia -o r.html a.dpia.md": "Cannot read a.dpia.md",
        "r.dpia.md --dpia -o r.html": "r.dpia.md is the evidence itself and would be lost",
        "": "Missing argument",
    }.items(),
)
def test_what_makes_no_page_is_refused_and_nothing_is_written(typed: str, said: str, saved: Audits) -> None:
    write_audit(saved["a.json"].model_copy(update={"command": "another"}), Path("copy.json"))
    write_audit(UNLIKE["they differ in: seed (0 before, 7 after)"], Path("unlike.json"))
    write_audit(saved["a.json"], Path("r.dpia.md"))
    was = {path: path.read_bytes() for path in Path().iterdir()}
    result = called(*typed.split())
    assert result.exit_code != 0
    message = str(result.exception) if isinstance(result.exception, EvidenceError) else result.output
    assert said in message, message
    assert {path: path.read_bytes() for path in Path().iterdir()} == was


def test_the_annex_is_written_beside_the_page_of_one_or_two_audits(saved: Audits) -> None:
    for given_ in (["a.json"], ["a.json", "b.json"]):
        result = called(*given_, "--dpia", "-o", "out/report.html")
        assert result.exit_code == 0, result.output
        assert {path.name for path in Path("out").iterdir()} == {"report.html", "report.dpia.md", "report.dpia.html"}
        assert [line for line in result.output.splitlines() if line.startswith("Wrote")] == [
            f"Wrote {Path('out') / name}" for name in ("report.html", "report.dpia.md", "report.dpia.html")
        ]


@pytest.mark.parametrize("kind", ["typical", "rich", "hostile", "long"])
def test_a_browser_shows_the_page_without_a_request_an_overflow_or_a_violation(
    browser: "Browser", tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "models.html"
    rich = {"before": everything(), "after": everything(after=True)}
    pages = {"typical": three(), "rich": rich, "hostile": everywhere(HOSTILE), "long": everywhere("W" * 3000)}
    write_page(path, render_models(pages[kind]))
    for width in (NARROW, WIDE):
        with opened(browser, path, width=width) as (page, heard):
            assert heard.asked == [path.as_uri()] and heard.complaints == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert sticking_out(page) == []
    if kind in ("typical", "rich"):
        with opened(browser, path, javascript=True) as (page, _):
            assert violations(page, STANDARDS) == []


def test_the_task_of_every_two_models_is_compared_on_the_same_rows() -> None:
    table = differences([(one.name, one.audit.task) for one in gather(three()).models if one.audit.task])
    assert table is not None
    assert [row[0].text for row in table.rows] == list(table.columns[1:])
    for place, row in enumerate(table.rows, 1):
        assert row[place].kind == "missing" and sum(cell.kind == "missing" for cell in row) == 1
    there, back = (table.rows[0][2].text, table.rows[1][1].text)
    assert there.replace("−", "+") == back.replace("−", "+"), "one is the other with the sign turned"
    assert table.caption in Outline(render_models(three())).text
    many = [(str(number), three()[next(iter(three()))].task) for number in range(MOST + 1)]
    assert differences([(name, one) for name, one in many if one]) is None
