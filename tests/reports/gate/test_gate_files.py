"""What the gate writes: JUnit, Markdown and JSON that say what it decided, whatever the names hold; and its manual."""

import json
import re
import shlex
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import Result
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from support.findings import (
    audit,
    certified,
    leakage,
    readable,
    redecided,
    regression,
    remeasured,
    sanitized,
    sanitizing,
    spikes,
    task_less,
)
from support.gates import called, founded, guessed, leaking, number, passing, untold, verdicts
from support.sweeps import point, swept

from audit.errors import IreneError
from audit.evidence.audit_result import AuditResult, Sidecar, write_audit
from audit.evidence.findings import Finding
from audit.evidence.json_file import as_json
from irene.command import main
from reports.audit_page.render import write_report
from reports.gate.gate import Outcome, conclusion, gate
from reports.gate.json import outcome_json
from reports.gate.junit import junit
from reports.gate.markdown_summary import MOST_ROWS, markdown
from reports.render.markdown import JOINER

Run = Callable[..., Result]
EVIDENCE = Path(__file__).parents[2] / "support" / "evidence"
GUIDE = Path(__file__).parents[3] / "docs" / "gate.md"
HOSTILE = (
    "</script><![CDATA[ ]]> \"'`a|b` | \\| @octocat #1 GH-2 :smile: **b** _i_ [x](javascript:1) <b onclick=x>&amp;"
    "{{ 7 * 7 }}\n\n## no\r\n- \u202eevil\u2066 🙂 \x00\x1b[31m\ufffe\uffff\ud800 http://a.b www.a.b ~~~\t<!--"
)
ANY = st.text(st.characters(exclude_categories=()), max_size=80)
"""Any string that Python can hold, halves of characters too."""


def everything(*, allow_inconclusive: bool = False) -> Outcome:
    before = audit(leaking(), leaking("left-handed"), leaking("gender"), number(0.43), readable())
    after = sanitized(passing(), untold("left-handed"), leaking("gender"), number(0.2), readable(read=0.86))
    return gate(after, before, allow_inconclusive=allow_inconclusive)


def everywhere(text: str) -> Outcome:
    """Return an outcome with `text` in every place that a user's string can reach."""

    def named(found: Finding, attribute: str, **more: Any) -> Finding:
        measured = found.measurement
        attackers = [one.model_copy(update={"view": text}) for one in measured.attackers if one.view == "standardised"]
        strongest = f"{attackers[0].name} on {text}"
        curves = [one.model_copy(update={"attacker": strongest}) for one in measured.curves]
        made = remeasured(found, strongest=strongest, attackers=attackers, curves=curves, **more)
        made = redecided(made, reason=text) if made.decision else made
        return made.model_copy(update={"layer": text, "attribute": attribute})

    def result(make: Callable[..., AuditResult], *found: Any) -> AuditResult:
        classes = [one.model_copy(update={"name": text}) for one in passing().measurement.classes]
        made = make(
            *(named(one, text + "123"[place], classes=classes) for place, one in enumerate(found)),
            named(number(), text), named(readable(), text), named(regression(), text),
            warnings=[text], versions={text: text}, device=text, command=text,
        )  # fmt: skip
        assert made.task is not None
        return made.model_copy(
            update={
                "checkpoint": made.checkpoint.model_copy(update={"file": text, "architecture": text}),
                "data": made.data.model_copy(update={"name": text, "fingerprint": text}),
                "task": made.task.model_copy(update={"name": text, "classes": [text], "answered": 10}),
                "created": text,
                "protocol": made.protocol.model_copy(update={"views": [text]}),
            }
        )

    before, after = (result(make, leaking(), untold(), passing()) for make in (audit, sanitized))
    return gate(after, before)


def shape(xml: bytes) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.tag, tuple(sorted(one.attrib.keys() - {"timestamp"}))) for one in ET.fromstring(xml).iter()]


def test_junit_has_a_case_for_each_attribute_at_each_layer_with_its_figures() -> None:
    root = ET.fromstring(junit(everything()))
    (suite,) = root
    assert (root.tag, suite.tag) == ("testsuites", "testsuite")
    assert {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped", "timestamp")} == {
        "tests": "4", "failures": "3", "errors": "0", "skipped": "0", "timestamp": "2026-07-04T09:30:00",
    }  # fmt: skip
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties == {
        "limit": "0.05", "limit set by": "default", "limit from": "the audit", "n": "2000",
        "data fingerprint": "d" * 64,
        "checkpoint sha256, before": "b" * 64, "checkpoint sha256, after": "a" * 64, "exit code": "3",
    }  # fmt: skip
    cases = {one.get("name"): one for one in suite.iter("testcase")}
    assert list(cases) == [f"{name} at features.7" for name in ("colour", "left-handed", "gender", "age")]
    assert list(cases["colour at features.7"]) == []
    (failure,) = cases["gender at features.7"]
    assert (failure.tag, failure.get("type")) == ("failure", "FAIL")
    assert (
        failure.get("message") == "FAIL: The attacker beats the floor by at least 25.7 points; the limit is 5 points."
    )
    assert failure.text is not None and "40.0 % balanced accuracy (95 % interval 38.0–42.0); 40.0 %" in failure.text
    (open_,) = cases["left-handed at features.7"]
    assert (open_.tag, open_.get("type")) == ("failure", "INCONCLUSIVE")
    assert "labelled rows in all would settle it" in (open_.get("message") or "")
    out = suite.findtext("system-out") or ""
    assert "RETAINED: smiling" in out and out.endswith(conclusion(everything()))
    assert suite.findtext("system-err") == "One attacker did not run."


def test_junit_skips_what_was_allowed_to_be_open_and_says_so() -> None:
    suite = ET.fromstring(junit(everything(allow_inconclusive=True)))[0]
    assert [suite.get(name) for name in ("tests", "failures", "skipped")] == ["4", "2", "1"]
    (skipped,) = suite.iter("skipped")
    assert (skipped.get("message") or "").startswith("let pass by --allow-inconclusive: INCONCLUSIVE: The excess")


NEEDED = {
    "testsuite": {"name", "timestamp", "hostname", "tests", "failures", "errors", "time", "package", "id"},
    "testcase": {"name", "classname", "time"},
    "property": {"name", "value"},
    "failure": {"type"},
}
ORDER = re.compile(r"properties( testcase)* system-out system-err")


@pytest.mark.parametrize("result", [verdicts("PASS"), task_less("FAIL"), sanitized(untold())])
def test_junit_has_what_its_schema_asks_for_in_the_order_it_asks_for(result: AuditResult) -> None:
    found = [untold(), leaking("gender")]
    fixed = result.model_copy(update={"findings": found if result.task else [guessed(one) for one in found]})
    root = ET.fromstring(junit(gate(fixed)))
    for one in root.iter():
        assert NEEDED.get(one.tag, set()) <= set(one.keys())
    assert ORDER.fullmatch(" ".join(child.tag for child in root[0]))
    assert all(len(case) <= 1 for case in root.iter("testcase"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", root[0].get("timestamp") or "")


def text_of(page: str) -> str:
    """Return what a reader of the Markdown sees, without the marks that part calls."""
    inline = [token for token in tokens(page) if token.type == "inline"]
    seen = [part.content for token in inline for part in token.children or [] if part.type == "text"]
    return " ".join(seen).replace(JOINER, "")


def tokens(page: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)


def structure(page: str) -> list[str]:
    """Return every block and every piece of a line, without the words: what Markdown made of it."""
    return [
        token.type + " ".join(part.type for part in token.children or [] if part.type != "text")
        for token in tokens(page)
    ]


def test_the_summary_says_the_outcome_first_and_the_worst_first() -> None:
    page = markdown(everything(), Path("out/report.html"))
    lines = page.splitlines()
    assert lines[0] == "## Privacy check: FAIL"
    assert lines[2] == conclusion(everything())
    rows = [line for line in lines if line.startswith("| **")]
    assert [re.findall(r"\*\*(\w+)\*\* \| ([\w-]+) at", row)[0] for row in rows] == [
        ("FAIL", "gender"), ("FAIL", "age"), ("INCONCLUSIVE", "left-handed"), ("PASS", "colour"),
    ]  # fmt: skip
    text = text_of(page)
    for part in (
        "40.0 % (38.0–42.0) → 13.0 % (11.0–15.0)", "−27.0 points", "12.0 % (11.0–13.0)", "1.0 points (−1.3 to 3.3)",
        "5 points (set by default)", "R² 0.430 (0.410–0.450) → 0.200", "0.05 of R² (set by default)", "2,000", "1,999",
        "the limit is 5 points.", "labelled rows in all would settle it",
        "Task digit: accuracy 96.2 % (95.4–97.0) → 96.2 % (95.4–97.0), a change of 0.0 points",
        "always answering the most frequent class gives 11.4 %.",
        "88.0 % (86.0–90.0) → 86.0 % (84.0–88.0)", "One attacker did not run.",
        "an attacker that nobody tried may read more", "The full report: out/report.html",
        "of biased_mnist, by logistic, mlp, knn, trees.", "SHA-256 aaaaaaaaaaaa…", "SHA-256 bbbbbbbbbbbb…",
    ):  # fmt: skip
        assert part in text, part


def test_the_summary_of_one_audit_has_no_before_and_without_a_task_says_so() -> None:
    made = task_less().model_copy(update={"findings": [guessed(leaking())]})
    page = markdown(gate(made))
    assert "before" not in page.lower().replace("beforehand", "") and "→" not in page
    assert "No task was named; the floor is chance." in text_of(page)
    assert "The full report" not in page


def test_a_summary_does_not_tell_where_the_report_lies_on_the_machine() -> None:
    page = text_of(markdown(gate(audit()), Path("/home/ada/secret/report.html")))
    assert "The full report: report.html" in page and "secret" not in page


def test_a_summary_of_many_findings_fits_into_a_comment() -> None:
    found = [passing(f"attribute {place}") for place in range(MOST_ROWS + 139)]
    page = markdown(gate(audit(*found, leaking("gender"))))
    assert len(page) < 65_536
    assert page.count("| **PASS**") == MOST_ROWS - 1
    assert "| **FAIL** | gender at" in page, "the worst is never cut"
    assert "140 more are in the evidence." in page


def test_json_has_the_raw_figures_and_the_exit_code() -> None:
    told = json.loads(outcome_json(everything(), {"report": Path("out/report.html")}))
    assert (told["verdict"], told["exit_code"], told["limit"], told["limit_set_by"]) == ("FAIL", 3, 0.05, "default")
    assert told["written"] == {"report": "out/report.html"}
    assert told["audits"]["after"]["sha256"] == "a" * 64
    assert [one["verdict"] for one in told["findings"]] == ["PASS", "INCONCLUSIVE", "FAIL", "FAIL"]
    gender = told["findings"][2]
    assert gender["excess"]["low"] == leaking().measurement.excess.low
    assert gender["read_before"]["value"] == 0.40
    assert gender["reason"] == leaking().decided.reason
    assert told["findings"][3]["measure"] == "R²"
    assert told["kept"][0]["attribute"] == "smiling"


def test_a_hostile_name_comes_out_as_text_everywhere() -> None:
    outcome, plain = everywhere(HOSTILE), everywhere("plain")
    assert shape(junit(outcome)) == shape(junit(plain))
    assert structure(markdown(outcome)) == structure(markdown(plain))
    seen = text_of(markdown(outcome))
    assert "@octocat #1 GH-2" in seen and "<b onclick=x>&amp;" in seen
    told = json.loads(outcome_json(outcome, {}))
    assert {one["layer"] for one in told["findings"]} == {HOSTILE}


def test_nothing_in_a_summary_calls_anybody() -> None:
    page = markdown(everywhere(HOSTILE))
    assert "octocat" in page
    assert not re.search(r"@\w|#\d|GH-\d|://|www\.|:smile:", page)


@given(ANY)
@settings(max_examples=40, deadline=None)
def test_no_name_changes_the_shape_of_what_is_written(text: str) -> None:
    outcome = everywhere(text)
    assert shape(junit(outcome)) == PLAIN_XML
    assert structure(markdown(outcome)) == PLAIN_MARKDOWN
    told = outcome_json(outcome, {})
    assert told.isascii()
    assert json.loads(told)["findings"][0]["attribute"] == text + "1"
    (suite,) = ET.fromstring(junit(outcome))
    assert len((suite.findtext("system-out") or "").splitlines()) == 8


PLAIN_XML, PLAIN_MARKDOWN = shape(junit(everywhere("plain"))), structure(markdown(everywhere("plain")))


def test_ten_thousand_characters_are_shortened() -> None:
    outcome = everywhere("W" * 10_000)
    assert len(markdown(outcome)) < 10_000
    assert len(junit(outcome)) < 60_000


def test_the_command_writes_what_it_is_asked_for_also_when_it_fails(tmp_path: Path, run: Run) -> None:
    outcome = everything()
    (_, before), (_, after) = outcome.comparison.audits
    write_audit(before, tmp_path / "before.json")
    write_audit(after, tmp_path / "after.json")
    out = tmp_path / "new"
    result = run(
        "check", tmp_path / "after.json", "--before", tmp_path / "before.json", "--report", out / "report.html",
        "--junit", out / "check.xml", "--markdown", out / "summary.md",
    )  # fmt: skip
    assert result.exit_code == 3, result.output
    assert (out / "check.xml").read_bytes() == junit(outcome)
    assert (out / "summary.md").read_text(encoding="utf-8") == markdown(outcome, out / "report.html")
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>") and "gender" in page
    assert [line for line in result.stdout.splitlines() if line.startswith("Wrote ")] == [
        f"Wrote {out / name}" for name in ("report.html", "check.xml", "summary.md")
    ]
    assert result.stdout.splitlines()[-1] == conclusion(outcome)
    refused = run("check", out / "report.html")
    assert (refused.exit_code, refused.stdout) == (1, ""), "a page is no evidence"


def test_the_report_stands_at_the_limit_of_the_check(tmp_path: Path, run: Run) -> None:
    found = founded(remeasured(leakage(read=0.15, half=0.001), spikes=spikes(0.02, quadratic=0.97)), 0.02)
    protocol = audit().protocol.model_copy(update={"limit": 0.02, "limit_set_by": "user"})
    write_audit(audit(found, protocol=protocol), tmp_path / "after.json")
    assert run("check", tmp_path / "after.json").exit_code == 3
    result = run("check", tmp_path / "after.json", "--limit 0.04 --report", tmp_path / "report.html")
    assert result.exit_code == 0
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "4 points" in page and "set by the user" in page
    assert "No attacker tried reads it beyond the limit" in page
    assert "A fresh attacker reads it beyond the limit" not in page


@pytest.mark.parametrize(
    ("asked", "code", "told"),
    [
        ("--keep-drop 0.02", 5, ["The check fails", "(exit code 5)", "LOST: keep drop, smiling at", "Lost, by"]),
        (
            "--keep-drop 0.4",
            0,
            ["The check passes", "(exit code 0)", "HELD: keep drop", "of at most 40 points"],
        ),
        ("--task-drop 0.005", 4, ["The check does not pass", "(exit code 4)", "OPEN: task drop, digit"]),
    ],
)
def test_the_report_tells_what_the_check_did_and_what_was_asked_of_it(
    asked: str, code: int, told: list[str], tmp_path: Path, run: Run
) -> None:
    paths = [tmp_path / "before.json", tmp_path / "after.json"]
    made = audit(leaking(), readable()), sanitized(passing(), readable(read=0.7))
    for one, path in zip(made, paths, strict=True):
        write_audit(one, path)
    page = tmp_path / "page.html"
    result = run("check", paths[1], "--before", paths[0], asked, "--report", page)
    assert result.exit_code == code, result.output
    text = page.read_text(encoding="utf-8")
    assert all(words in text for words in told), told
    assert text.index(told[0]) < text.index("PASS</span>")


def test_json_is_all_there_is_on_stdout(tmp_path: Path, run: Run) -> None:
    write_audit(everything().audit, tmp_path / "after.json")
    plain = run("check", tmp_path / "after.json")
    result = run("check", tmp_path / "after.json", "--json --markdown", tmp_path / "s.md")
    assert result.exit_code == plain.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["exit_code"], told["written"]) == (3, {"markdown": str(tmp_path / "s.md")})
    assert set(plain.stdout.splitlines()) < set(result.stderr.splitlines())


def test_a_name_of_many_lines_is_one_line_on_the_terminal(tmp_path: Path, run: Run) -> None:
    write_audit(audit(passing("two\nlines \x1b[31m\u202e")), tmp_path / "after.json")
    result = run("check", tmp_path / "after.json")
    assert len(result.stdout.splitlines()) == 3
    assert not {"\x1b", "\u202e"} & set(result.output)


@pytest.mark.parametrize("option", ["--report", "--junit", "--markdown"])
def test_nothing_is_written_over_what_is_read(option: str, tmp_path: Path, run: Run) -> None:
    after, before = tmp_path / "after.json", tmp_path / "before.json"
    write_audit(sanitized(passing()), after)
    write_audit(audit(leaking()), before)
    (tmp_path / "link.json").symlink_to(after)
    was = after.read_bytes(), before.read_bytes()
    for target in (after, before, tmp_path / "link.json", tmp_path / "x" / ".." / "after.json"):
        result = run("check", after, "--before", before, option, target)
        assert result.exit_code == 2
        assert "would be lost" in result.stderr
    assert (after.read_bytes(), before.read_bytes()) == was


@pytest.mark.parametrize(
    "name", ["model.pt", "rows.csv", "Net.PY", "clean.pt.json", "private.pem", "README.md", "mine.html", "tests.xml"]
)
@pytest.mark.parametrize("command", ["check --report", "check --junit", "report -o", "report --csv"])
def test_nothing_is_written_over_what_is_no_such_file(command: str, name: str, tmp_path: Path, run: Run) -> None:
    write_audit(audit(leaking()), tmp_path / "before.json")
    held = tmp_path / name
    held.write_bytes(b"weights")
    verb, option = command.split()
    result = run(verb, tmp_path / "before.json", option, held, f"-o {tmp_path}/r.html" if option == "--csv" else "")
    assert result.exit_code == 1
    assert f"{name} is there already, is no work of this command and would be lost" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path != held] == ["before.json"]
    assert held.read_bytes() == b"weights"


def test_each_kind_replaces_its_own_and_no_other_of_irenes(tmp_path: Path, run: Run) -> None:
    evidence = tmp_path / "before.json"
    write_audit(audit(leaking()), evidence)
    made = {"report": tmp_path / "r.html", "junit": tmp_path / "c.xml", "markdown": tmp_path / "s.md"}
    for _ in range(2):
        result = run("check", evidence, *(word for what, path in made.items() for word in (f"--{what}", path)))
        assert result.exit_code == 3, result.output
    assert run("report", evidence, "-o", made["report"], "--dpia").exit_code == 0
    assert run("report", evidence, "-o", made["report"], "--dpia").exit_code == 0
    assert run("report", evidence, "-o", tmp_path / "r.dpia.html").exit_code == 0, "each page has the mark"
    for what in made:
        for other, path in made.items():
            if what != other:
                assert run("check", evidence, f"--{what}", path).exit_code == 1
    (tmp_path / "empty").touch()
    assert "Wrote" in run("check", evidence, "--junit", tmp_path / "empty").output, "there is nothing to lose"


def test_an_annex_is_not_written_over_a_page_of_the_users_own(tmp_path: Path, run: Run) -> None:
    write_audit(audit(leaking()), tmp_path / "before.json")
    (tmp_path / "r.dpia.html").write_text("<p>mine")
    result = run("report", tmp_path / "before.json", "-o", tmp_path / "r.html", "--dpia")
    assert result.exit_code == 1
    assert "r.dpia.html is there already" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["before.json", "r.dpia.html"]


def test_evidence_replaces_only_evidence_of_an_audit(tmp_path: Path) -> None:
    held = tmp_path / "held.json"
    record = as_json(Sidecar(sha256="a" * 64, sanitizing=sanitizing()))
    for content in (b"{}", b"[]", b'"mine"', b"# Mine", record, as_json(swept(point("plain", 1)))):
        held.write_bytes(content)
        with pytest.raises(IreneError, match=r"held.json is there already"):
            write_audit(audit(leaking()), held)
        assert held.read_bytes() == content
    for old in [*sorted((EVIDENCE / "schema_2").glob("*.json")), EVIDENCE / "audit-1.json"]:
        held.write_bytes(old.read_bytes())
        write_audit(audit(leaking()), held)
    write_audit(audit(leaking()), held)


def test_nor_does_python_write_over_them(tmp_path: Path) -> None:
    held = tmp_path / "rows.npz"
    held.write_bytes(b"rows")
    with pytest.raises(IreneError, match=r"rows.npz is there already"):
        write_audit(audit(leaking()), held)
    with pytest.raises(IreneError, match=r"rows.npz is there already"):
        write_report(held, audit(leaking()))
    assert held.read_bytes() == b"rows"


def test_two_outputs_in_one_file_are_refused_before_anything_is_written(tmp_path: Path, run: Run) -> None:
    write_audit(verdicts("PASS"), tmp_path / "after.json")
    call = ("check", tmp_path / "after.json", "--junit", tmp_path / "a", "--markdown")
    assert run(*call, tmp_path / "a").exit_code == 2
    (tmp_path / "folder").mkdir()
    assert run(*call, tmp_path / "folder").exit_code == 2
    assert run(*call, tmp_path / "after.json" / "b").exit_code == 1
    assert called("check", str(tmp_path / "after.json"), "--markdown", "-").exit_code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["after.json", "folder"]


def test_an_error_leaves_the_files_of_an_earlier_run_as_they_were(tmp_path: Path, run: Run) -> None:
    write_audit(verdicts("PASS"), tmp_path / "after.json")
    (tmp_path / "check.xml").write_text("old")
    assert run("check", tmp_path / "after.json", "--private gender --junit", tmp_path / "check.xml").exit_code == 1
    assert (tmp_path / "check.xml").read_text() == "old"


def guide(language: str) -> list[str]:
    found = re.findall(r"(?ms)^```(\w*)\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"))
    return [body for name, body in found if name == language]


def lines() -> list[str]:
    """Return every `irene …` of the manual, with what the folded lines of YAML add to it."""
    return [
        " ".join(found.split())
        for block in (*guide(""), *guide("yaml"))
        for found in re.findall(r"\birene (?:check|audit) [^\n]+(?:\n +--[^\n]+)*", block)
    ]


def test_the_manual_has_something_to_type() -> None:
    assert len(lines()) == 9
    assert [len(guide(name)) for name in ("", "yaml", "python")] == [1, 6, 3]


@pytest.mark.parametrize("line", lines())
def test_every_command_line_of_the_manual_parses(line: str) -> None:
    name, *arguments = shlex.split(line)[1:]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    command.make_context(name, arguments)


def test_the_yaml_of_the_manual_says_what_it_looks_like() -> None:
    yaml: Any = pytest.importorskip("yaml", reason="PyYAML is not installed")
    _, github, _, gitlab, copied, hook = (yaml.safe_load(block) for block in guide("yaml"))
    steps = github["jobs"]["privacy"]["steps"]
    check = steps.index(next(step for step in steps if step.get("name") == "Check"))
    assert all(step["if"] == "always()" for step in steps[check + 1 :])
    kept = set(steps[-1]["with"]["path"].split())
    assert kept == {"out/after.json", "out/report.html", "out/check.xml", "out/summary.md"}
    assert all(path in steps[check]["run"] for path in kept)
    assert gitlab["privacy"]["allow_failure"]["exit_codes"] == 4
    assert gitlab["privacy"]["artifacts"]["reports"]["junit"] in gitlab["privacy"]["script"][1]
    (of_a_copy,) = copied["repos"]
    command = main.get_command(click.Context(main), "check")
    assert command is not None
    command.make_context("check", of_a_copy["hooks"][0]["args"])
    (local,) = hook["repos"]
    (one,) = local["hooks"]
    assert re.search(one["files"], shlex.split(one["entry"])[2])
    assert one["pass_filenames"] is False


def test_the_python_of_the_manual_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    write_audit(audit(leaking("gender"), passing("age")), Path("out/after.json"))
    with pytest.raises(SystemExit) as ended:
        exec(guide("python")[0], {})
    assert ended.value.code == 3


def test_the_exit_codes_are_told_alike_in_the_help_and_in_the_manual() -> None:
    help_ = called("check", "--help").output
    for code in range(5):
        assert re.search(rf"(?m)^ +{code}  \w", help_)
        assert re.search(rf"(?m)^\| {code} \| \w", GUIDE.read_text(encoding="utf-8"))


def test_a_bound_on_every_attacker_is_told_with_the_verdict(tmp_path: Path, run: Run) -> None:
    write_audit(audit(certified(passing())), tmp_path / "after.json")
    assert "No attacker whatever can read more than 61.0 %" in run("check", tmp_path / "after.json").stdout


def test_code_that_ran_from_the_checkpoint_is_told_everywhere() -> None:
    made = verdicts("PASS")
    opened = made.checkpoint.model_copy(update={"pickle_ran": True})
    outcome = gate(made.model_copy(update={"checkpoint": opened}))
    assert outcome.exit_code == 0
    for told in (junit(outcome).decode(), text_of(markdown(outcome)), outcome_json(outcome, {})):
        assert "--allow-pickle" in told


def test_a_sanitizers_head_is_never_the_gates_witness() -> None:
    assert gate(sanitized(leaking(), head=0.10)).exit_code == 3
