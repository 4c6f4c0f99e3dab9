"""What two workers gain is measured on work that is really done, and compared to the last bit."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

import speedup


@pytest.mark.slow
def test_extraction_by_one_and_by_two_processes_is_timed_and_compared() -> None:
    done = CliRunner().invoke(speedup.main, ["--of=extraction", "--images=256", "--turns=1"])
    assert done.exit_code == 0, done.output
    cells = [cell.strip() for cell in done.output.splitlines()[2].strip("|").split("|")]
    assert cells[0] == "extraction" and cells[-1] == "yes"
    one, two, ratio = map(float, cells[1:4])
    assert one > 0 and two > 0 and ratio > 0


def test_evidence_is_compared_but_for_when_and_how_it_was_made(tmp_path: Path) -> None:
    def digest(**changed: object) -> str:
        made = {"created": "today", "command": "a", "points": [{"audit_seconds": 1, "figures": {"read": 0.5}}]}
        (tmp_path / "made.json").write_text(json.dumps(made | changed), encoding="utf-8")
        return speedup.written(tmp_path / "made.json")

    assert digest(created="tomorrow", command="b") == digest()
    assert digest(points=[{"audit_seconds": 2, "figures": {"read": 0.5}}]) == digest()
    assert digest(points=[{"audit_seconds": 1, "figures": {"read": 0.6}}]) != digest()
