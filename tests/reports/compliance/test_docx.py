"""The annex as a Word file: what stands in it, and that nothing typed into it is written over."""

import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from support.evidences import HOSTILE, hostile, pair
from support.findings import audit, leakage

from audit.evidence.audit_result import write_audit
from reports.compliance.assessment import assessment
from reports.compliance.docx_file import DocxError, as_docx
from reports.inputs.comparison import compare

docx = pytest.importorskip("docx")
Run = Callable[..., Result]
ANSWERS = '[processing]\npurposes = "Sorting of mail"\n[risks.inference.gender]\nlikelihood = "low"\n'


def words(document: Any) -> str:
    return "\n".join("".join(one.itertext()) for one in document.element.body)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(leakage("gender")), Path("audit.json"))
    return tmp_path


def test_every_part_question_and_table_of_the_annex_stands_in_it() -> None:
    page = assessment(compare(*pair()))
    document = docx.Document(io.BytesIO(as_docx(page)))
    said = words(document)
    for part in page.sections.values():
        assert part.title in said
        assert all(one.label in said for one in part.fields)
        assert all(one.caption in said for one in part.tables)
        assert all(one.caption in said for one in part.forms)
    boxes = [one for one in document.tables if (len(one.rows), len(one.columns)) == (1, 1)]
    assert len(boxes) == sum(len(part.fields) for part in page.sections.values())
    assert {one.cell(0, 0).text.strip() for one in boxes} == {""}


def test_answers_are_merged_and_a_new_run_keeps_them(folder: Path, run: Run) -> None:
    Path("dpia.toml").write_text(ANSWERS, encoding="utf-8")
    for _ in range(2):
        done = run("report audit.json --dpia --docx --answers dpia.toml -o report.html")
        assert done.exit_code == 0, done.output
        said = words(docx.Document("report.dpia.docx"))
        assert "Sorting of mail" in said and "low" in said


def test_what_was_typed_into_it_is_not_written_over(folder: Path, run: Run) -> None:
    assert run("report audit.json --dpia --docx -o report.html").exit_code == 0
    document = docx.Document("report.dpia.docx")
    document.save("report.dpia.docx")  # opened and saved, and nothing typed
    assert run("report audit.json --dpia --docx -o report.html").exit_code == 0
    document.tables[-1].cell(1, 1).text = "A. Noether"
    document.save("report.dpia.docx")
    done = run("report audit.json --dpia --docx -o report.html")
    assert done.exit_code != 0 and "typed there would be lost" in done.output
    assert "A. Noether" in words(docx.Document("report.dpia.docx"))
    Path("report.dpia.docx").write_bytes(b"a note of mine")
    assert "is no Word file" in run("report audit.json --dpia --docx -o report.html").output


def test_hostile_names_come_out_as_text() -> None:
    said = words(docx.Document(io.BytesIO(as_docx(assessment(compare(*hostile()))))))
    assert "<script>" in said and "\x1b" not in said
    assert HOSTILE not in said, "what is not seen is spelled out"


def test_without_the_library_one_line_says_what_to_install(
    folder: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "docx", None)
    done = run("report audit.json --dpia --docx -o report.html")
    assert done.exit_code != 0 and "pip install 'irene-audit[docx]'" in done.output
    assert not Path("report.html").exists(), "nothing half-written"
    with pytest.raises(DocxError):
        as_docx(assessment(compare(audit(), None)))


def test_a_word_file_without_an_annex_is_refused(folder: Path, run: Run) -> None:
    assert "Add --dpia" in run("report audit.json --docx -o report.html").output
