"""What people answer in the annex stands in a file of theirs, is merged at every run, and is never lost."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.findings import audit, leakage

from audit.errors import IreneError, UnknownNameError
from audit.evidence.audit_result import write_audit
from reports.compliance.answers import AnswersError, answered, read_answers
from reports.compliance.assessment import assessment
from reports.compliance.dpia import questions, render_html, render_markdown
from reports.inputs.comparison import compare

Run = Callable[..., Result]
TYPED = """
[processing]
purposes = "Sorting <b>mail</b>"
nature = '''
Twice a day.
In two offices.'''

[risks.inference.gender]
likelihood = "low | very"

[risks.inference.age]
severity = "was audited last year"

[decision.signatures."Prepared by"]
name = "A. Noether"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(leakage("gender")), Path("audit.json"))
    return tmp_path


@pytest.mark.parametrize(
    "names", [["de\x7flete"], ["x" * 60 + middle + "x" * 60 for middle in "AB"], ['q"] \n[risks]\nx="1'], ["\ud800"]]
)
def test_what_is_written_can_be_read_whatever_the_names_are(names: list[str], tmp_path: Path) -> None:
    path = tmp_path / "dpia.toml"
    path.write_text(questions(audit(*map(leakage, names))), encoding="utf-8")
    assert len(read_answers(path)["risks"]["inference"]) == len(names)


def told(run: Run, answers: str = "dpia.toml") -> str:
    done = run(f"report audit.json --dpia --answers {answers} -o report.html")
    assert done.exit_code == 0, done.output
    return done.output


def test_the_questions_are_written_once_and_the_answers_merged_from_then_on(folder: Path, run: Run) -> None:
    assert "Wrote dpia.toml" in told(run)
    first = Path("dpia.toml").read_text(encoding="utf-8")
    asked = tomllib.loads(first)
    assert asked["processing"]["purposes"] == ""
    assert asked["risks"]["inference"]["gender"] == {"who": "", "what_follows": "", "likelihood": "", "severity": ""}
    assert "# Purposes, and the legitimate interest where one is relied on\npurposes" in first

    Path("dpia.toml").write_text(TYPED, encoding="utf-8")
    for turn in range(2):  # audited, answered, audited again
        write_audit(audit(leakage("gender"), created=f"2026-0{turn + 1}-01T00:00:00+00:00"), Path("audit.json"))
        said = told(run)
        assert "questions of the annex have no answer in dpia.toml; the first is processing.why_assessed" in said
        assert Path("dpia.toml").read_text(encoding="utf-8") == TYPED
        page, markdown = (Path(f"report.dpia.{kind}").read_text(encoding="utf-8") for kind in ("html", "md"))
        assert "Sorting &lt;b&gt;mail&lt;/b&gt;" in page and "Sorting &lt;b&gt;mail" in markdown
        assert (
            "<bdi>Twice a day.</bdi><br><bdi>In two offices.</bdi>" in page
            and "Twice a day. In two offices." in markdown
        )
        assert "low \\| very" in markdown
        assert "A. Noether" in page and "A. Noether" in markdown


def test_an_attribute_that_is_not_audited_any_more_keeps_its_line(folder: Path) -> None:
    Path("dpia.toml").write_text(TYPED, encoding="utf-8")
    page = render_html(audit(leakage("gender")), answers=read_answers(Path("dpia.toml")))
    assert "was audited last year" in page


def test_every_question_of_the_starter_is_known() -> None:
    one = audit(leakage("gender"), leakage('odd "name"\\'))
    starter = tomllib.loads(questions(one))
    filled = {
        part: {key: "x" if value == "" else value for key, value in some.items()} for part, some in starter.items()
    }
    parts = answered(assessment(compare(one, None)).sections, filled)
    assert all(question.answer == "x" for part in parts.values() for question in part.fields)


@pytest.mark.parametrize(
    ("typed", "fact"),
    [
        (
            "[processing]\npurpose = 'x'",
            r"'processing' in the answers 'purpose'.*Did you mean 'purposes'",
        ),
        ("[procesing]\npurposes = 'x'", r"Unknown part of the answers 'procesing'"),
        ("[processing]\npurposes = 3", r"processing\.purposes is no text. Put it between quotation marks"),
        ("processing = 3", r"processing is no table. Write \[processing\] above its questions"),
        (
            "[risks.inference.gender]\nlikely = 'x'",
            r"'risks\.inference\.gender' in the answers 'likely'",
        ),
        ("[processing]\npurposes = '" + 10_001 * "x" + "'", r"has 10,001 characters; 10,000 are the most"),
        ("[processing\n", r"holds no answers: .*Mend that line"),
    ],
)
def test_what_is_no_answer_is_refused_in_one_line_and_nothing_is_written(
    typed: str, fact: str, folder: Path, run: Run
) -> None:
    Path("dpia.toml").write_text(typed, encoding="utf-8")
    with pytest.raises((AnswersError, UnknownNameError), match=fact) as refused:
        render_markdown(audit(leakage("gender")), answers=read_answers(Path("dpia.toml")))
    assert isinstance(refused.value, IreneError) and "\n" not in str(refused.value)
    assert run("report audit.json --dpia --answers dpia.toml -o report.html").exit_code == 1
    assert not list(folder.glob("report*"))


def test_what_was_typed_into_the_markdown_is_not_written_over(folder: Path, run: Run) -> None:
    told(run)
    path = Path("report.dpia.md")
    typed = path.read_text(encoding="utf-8").replace("| Processors |  |", "| Processors | ACME |")
    path.write_text(typed, encoding="utf-8")
    page = Path("report.html").read_bytes()
    refused = run("report audit.json --dpia --answers dpia.toml -o report.html")
    assert refused.exit_code == 1
    assert "report.dpia.md was changed since irene wrote it, and what was typed there would be lost" in refused.output
    assert path.read_text(encoding="utf-8") == typed and Path("report.html").read_bytes() == page


def test_answers_need_an_annex_and_a_file_of_their_own(folder: Path, run: Run) -> None:
    assert "Add --dpia" in run("report audit.json --answers dpia.toml -o report.html").output
    refused = run("report audit.json --dpia --answers report.dpia.md -o report.html")
    assert "is the file of answers and would be lost" in refused.output
    assert not list(folder.glob("report*"))
