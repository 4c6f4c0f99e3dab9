"""Findings in the forms of other tools: CSV, a model card, a PDF; what a name holds stays a name."""

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from support.findings import audit, certified, continuous, leakage, readable, sanitized

from audit.evidence.audit_result import AuditResult, write_audit
from reports.exports.model_card import model_card
from reports.exports.pdf import PdfError, as_pdf
from reports.exports.table import COLUMNS, as_csv

Run = Callable[..., Result]
HOSTILE = '=HYPERLINK("x")\n---\n- name: evil \x1b[31m'


def rows(**audits: AuditResult) -> list[dict[str, str]]:
    return [*csv.DictReader(io.StringIO(as_csv(audits)))]


def test_a_row_for_each_finding_and_each_attacker() -> None:
    one = audit(certified(leakage("gender"), 0.61), continuous(), readable())
    found = rows(model=one)
    findings = [row for row in found if row["what"] == "finding"]
    assert [row["attribute"] for row in findings] == [each.attribute for each in one.findings]
    assert len(found) == len(findings) + sum(len(each.measurement.attackers) for each in one.findings)
    gender = findings[0]
    measured = one.findings[0].measurement
    assert float(gender["value"]) == measured.score.value
    assert float(gender["excess_high"]) == measured.excess.high
    assert (gender["verdict"], float(gender["bound"]), float(gender["limit"])) == ("FAIL", 0.61, 0.05)
    kept = next(row for row in findings if row["role"] == "retained")
    assert (kept["verdict"], kept["limit"]) == ("", "")
    failed = [row for row in found if row["what"] == "attacker" and not row["value"]]
    assert failed, "one that could not run has no figure"


def test_a_name_is_no_formula_and_breaks_no_row() -> None:
    found = rows(**{HOSTILE: audit(leakage(HOSTILE))})
    assert all(set(row) == set(COLUMNS) for row in found)
    assert all(row["attribute"].startswith("'=HYPERLINK") and "\n" not in row["attribute"] for row in found)
    assert "\x1b" not in as_csv({"m": audit(leakage(HOSTILE))})


def test_a_model_card_has_the_verdicts_and_the_index_of_the_last_audit() -> None:
    card = model_card(audit(leakage("gender")), sanitized(leakage("gender", 0.13, "PASS")))
    head, body = card.removeprefix("---\nmodel-index:\n").split("\n---\n")
    (entry,) = [json.loads(line.removeprefix("- ")) for line in head.splitlines()]
    (result,) = entry["results"]
    assert [one["type"] for one in result["metrics"]] == ["balanced_accuracy", "excess"]
    assert result["metrics"][1]["name"].endswith("(PASS)")
    assert "- PASS: gender at" in body and "not anonymity" in body


def test_a_name_stays_a_name_in_a_model_card() -> None:
    card = model_card(audit(leakage(HOSTILE)))
    assert card.count("\n---\n") == 1
    assert len(card.split("\n---\n")[0].splitlines()) == 3
    assert "\x1b" not in card


def test_the_command_writes_all_of_them_or_none(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(leakage("gender")), Path("before.json"))
    write_audit(sanitized(leakage("gender")), Path("after.json"))
    done = run("report before.json after.json --csv out/f.csv --card out/card.md -o out/r.html")
    assert done.exit_code == 0, done.output
    assert {"Wrote out/f.csv", "Wrote out/card.md", "Wrote out/r.html"} <= set(done.output.splitlines())
    found = csv.DictReader(io.StringIO(Path("out/f.csv").read_text(encoding="utf-8")))
    assert {row["checkpoint"].rpartition(" ")[2] for row in found} == {"before", "after"}
    assert run("report before.json after.json --csv out/f.csv -o out/r.html").exit_code == 0, "its own work is replaced"
    for typed, fact in (
        ("--csv out/r2.html -o out/r2.html", "Two outputs have the same name"),
        ("--csv before.json -o out/r2.html", "before.json is the evidence itself and would be lost"),
        ("--side-by-side --card c.md -o out/r2.html", "--card is for one audit, or for two of them"),
    ):
        refused = run(f"report before.json after.json {typed}")
        assert refused.exit_code != 0 and fact in refused.output
    assert not Path("out/r2.html").exists() and not Path("c.md").exists()


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        ("report", "card", "README.md"),
        ("report", "csv", "rows.txt"),
        ("report", "pdf", "r.pdf"),
        ("check", "markdown", "README.md"),
    ],
)
@pytest.mark.parametrize("typed", [True, False])
def test_what_irene_did_not_write_is_not_replaced_and_what_it_wrote_is(
    command: str, option: str, name: str, typed: bool, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("reports.exports.pdf.as_pdf", lambda _: b"%PDF-")
    write_audit(audit(leakage("gender")), Path("a.json"))
    Path("own.toml").write_text(f"{option} = true" if option == "pdf" else f'{option} = "{name}"', encoding="utf-8")
    how = "--config own.toml" if not typed else "--pdf" if option == "pdf" else f"--{option} {name}"
    asked = f"{command} a.json {how}" + (" -o r.html" if command == "report" else "")
    Path(name).write_text("# Mine\n", encoding="utf-8")
    refused = run(asked)
    assert refused.exit_code == 1
    assert refused.output.splitlines()[-1].startswith(f"Error: {name} is there already, is no work of this command")
    assert Path(name).read_text(encoding="utf-8") == "# Mine\n" and not Path("r.html").exists()
    Path(name).unlink()
    for _ in range(2):
        assert f"Wrote {name}" in run(asked).output


def test_a_card_that_somebody_went_on_with_is_kept(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(leakage("gender")), Path("a.json"))
    assert run("report a.json --card card.md -o r.html").exit_code == 0
    Path("card.md").write_text("# My model\n" + Path("card.md").read_text(encoding="utf-8"), encoding="utf-8")
    assert "would be lost" in run("report a.json --card card.md -o r.html").output


@pytest.mark.parametrize("name", ["a.wav", "a.WEBP", "a.zip", "a.arrow", "a.gguf", "a.pkl"])
def test_no_page_is_written_over_what_irene_reads(
    name: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_audit(audit(leakage("gender")), Path("a.json"))
    Path(name).write_bytes(b"mine")
    assert "would be lost" in run("report a.json -o", Path(name)).output
    assert Path(name).read_bytes() == b"mine"


def test_a_page_is_printed_by_the_browser(browser: object) -> None:
    assert browser is not None
    assert as_pdf("<!doctype html><p>Printed</p>").startswith(b"%PDF-")


def test_without_a_browser_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(PdfError, match=r"printed by a browser .* or by WeasyPrint, and neither is installed. Install"):
        as_pdf("<p>x</p>")
