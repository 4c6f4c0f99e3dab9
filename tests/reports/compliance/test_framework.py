"""A legal framework of a user's own: a file that the report sets beside irene's provisions, or refuses in one line."""

import re
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.evidences import FRAGMENTS
from support.findings import audit, sanitized
from support.outline import Outline, assert_it_stands_alone
from support.sweeps import typical, write_sweep

from audit.evidence.audit_result import write_audit
from reports.audit_page.render import render, write_report
from reports.cli.report import report
from reports.compliance.mapping import Framework, FrameworkError, load

DOCS = Path(__file__).parents[3] / "docs/framework.md"
OWN = """\
date = 2026-11-20

[instruments.works-agreement]
short = "Works agreement"
name = "Agreement on image analysis"
number = "No. 7"
binds = "The employer."
status = "Signed on 1 March 2026."

[[entries]]
id = "gdpr-25-1"
instrument = "works-agreement"
article = "Section 4"
title = "No profiling"
about = "Nobody is to be sorted by a private attribute."
fields = ["Agreed with the works council on"]

[entries.supports]
leakage = "Supports the yearly report on what can be read from the model."
comparison = "Supports the account of what changed."
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(), Path("before.json"))
    write_audit(sanitized(), Path("after.json"))
    Path("own.toml").write_text(OWN, encoding="utf-8")
    return tmp_path


def called(arguments: str) -> Result:
    return CliRunner().invoke(report, arguments.split())


def framework() -> Framework:
    return Framework.model_validate(tomllib.loads(OWN))


def test_a_users_provisions_follow_those_of_irene_on_the_page_and_in_the_annex(here: Path) -> None:
    result = called("before.json after.json --framework own.toml --dpia -o report.html")
    assert result.exit_code == 0, result.output
    page = Path("report.html").read_text(encoding="utf-8")
    assert_it_stands_alone(page)
    text = Outline(page).text
    assert text.index("ISO/IEC 42001") < text.index("Works agreement")
    for part in (
        "Agreement on image analysis, No. 7. Binds: The employer. Signed on 1 March 2026. As read on 2026-11-20.",
        "Section 4 No profiling Nobody is to be sorted by a private attribute.",
        "Leakage Supports the yearly report on what can be read from the model.",
        "Agreed with the works council on empty, to be filled in",
    ):
        assert part in text, part
    annex = Path("report.dpia.md").read_text(encoding="utf-8")
    for said in (annex, Outline(Path("report.dpia.html").read_text(encoding="utf-8")).text):
        assert "Works agreement Section 4" in said and "As read on 2026" in said


def test_what_is_not_in_the_evidence_supports_nothing_of_a_users_own() -> None:
    text = Outline(render(audit(), frameworks=[framework()])).text
    assert "Supports the account of what changed." not in text
    assert text.rpartition("Works agreement")[2].count("Missing here Before and after") == 1


def test_two_frameworks_or_the_same_twice_keep_their_anchors_apart(here: Path) -> None:
    result = called("before.json --framework own.toml --framework own.toml -o report.html")
    assert result.exit_code == 0, result.output
    page = Path("report.html").read_text(encoding="utf-8")
    assert_it_stands_alone(page)
    assert re.findall(r'<h4 id="([^"]+)">Section 4', page) == ["framework-1-gdpr-25-1", "framework-2-gdpr-25-1"]


def test_without_one_the_page_has_the_provisions_of_irene_alone() -> None:
    assert render(audit(), frameworks=[]) == render(audit())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("leakage = ->leaks = ", "entries.0.supports.leaks: there is no such evidence; known: leakage, floor, "),
        ('"Supports the yearly->"Proves the yearly', "begins with 'Supports'"),
        ("fields = ->boxes = ", "entries.0.fields"),
        ('instrument = "works-agreement"->instrument = "other"', "no instrument 'other'; known: works-agreement"),
        ("date = 2026-11-20->", "date: Field required"),
        ("[[entries]]->[[entries", "Expected"),
        (f"date = 2026-11-20->date = {'[' * 3000}", "nested too deep"),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_one_line_and_nothing_is_written(here: Path, change: str, said: str) -> None:
    old, _, new = change.partition("->")
    assert old in OWN
    Path("own.toml").write_text(OWN.replace(old, new, 1), encoding="utf-8")
    result = called("before.json --framework own.toml --dpia -o report.html")
    told = str(result.exception)
    assert result.exit_code == 1 and told.startswith("own.toml is no framework: ") and said in told, told
    assert "\n" not in told
    assert {path.name for path in here.iterdir()} == {"before.json", "after.json", "own.toml"}


def test_a_file_may_begin_with_the_mark_that_some_editors_write(here: Path) -> None:
    Path("own.toml").write_text(OWN, encoding="utf-8-sig")
    assert called("before.json --framework own.toml -o report.html").exit_code == 0


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("before.json --framework none.toml", "Cannot read none.toml"),
        ("before.json --framework own.toml -o own.toml", "own.toml is a framework and would be lost"),
        ("before.json after.json --side-by-side --framework own.toml", "--framework is for one audit, or for two"),
        ("sweep.json --framework own.toml", "--framework is for audits; this is the evidence of a sweep."),
    ],
)
def test_a_framework_is_for_audits_and_is_never_written_over(here: Path, typed: str, said: str) -> None:
    write_sweep(typical(), Path("sweep.json"))
    result = called(typed)
    assert result.exit_code != 0 and said in f"{result.output}{result.exception}"
    assert Path("own.toml").read_text(encoding="utf-8") == OWN and not Path("out").exists()


def test_the_manuals_example_is_a_framework(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), flags=re.S)
    path = tmp_path / "own.toml"
    path.write_text(example, encoding="utf-8")
    assert load(path).entries


@pytest.mark.parametrize("name", ["a script", "quotes", "a template", "directions", "marks"])
def test_whatever_a_framework_says_comes_out_as_text(name: str) -> None:
    entry = framework().entries[0].model_copy(update={"title": FRAGMENTS[name], "about": FRAGMENTS[name]})
    changed = framework().model_copy(update={"entries": (entry,)})
    plain, odd = (Outline(render(audit(), frameworks=[one])).tags for one in (framework(), changed))
    assert [tag for tag, _ in odd] == [tag for tag, _ in plain]


def test_a_report_written_from_python_takes_the_same_files(here: Path) -> None:
    write_report("again.html", audit(), frameworks=["own.toml"])
    text = Outline(Path("again.html").read_text(encoding="utf-8")).text
    assert "Works agreement" in text and "As read on 2026-11-20." in text
    with pytest.raises(FrameworkError, match=r"Cannot read none\.toml"):
        write_report("third.html", audit(), frameworks=[Path("none.toml")])
    assert not Path("third.html").exists()
