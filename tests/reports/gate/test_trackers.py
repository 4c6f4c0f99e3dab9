"""What docs/gate.md says to type for MLflow and Weights & Biases runs, where they are installed."""

import re
from pathlib import Path

import pytest
from support.findings import audit, leakage

from audit.evidence.audit_result import write_audit
from reports.audit_page.render import write_report

PAGE = (Path(__file__).parents[3] / "docs" / "gate.md").read_text(encoding="utf-8")
EXCESS = 0.34


def block(heading: str) -> str:
    """Return the code under a heading of the page."""
    found = re.search(rf"^## {heading}\n+```python\n(.*?)^```$", PAGE, flags=re.M | re.S)
    assert found, heading
    return found[1]


@pytest.fixture
def filed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write an audit and its page where the page says that they are."""
    monkeypatch.chdir(tmp_path)
    one = audit(leakage("gender", 0.12 + EXCESS - 0.01))
    Path("out").mkdir()
    write_audit(one, "out/after.json")
    write_report("out/report.html", one)
    return tmp_path


@pytest.mark.parametrize("heading", ["MLflow", "Weights & Biases"])
def test_three_lines_are_enough_and_can_be_read(heading: str) -> None:
    lines = [line for line in block(heading).splitlines() if line and "import" not in line]
    assert len(lines) == 3
    compile(block(heading), heading, "exec")


def test_mlflow_has_the_excess_and_the_page(filed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (filed / "runs").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    exec(compile(block("MLflow"), "docs/gate.md", "exec"), {})
    run = mlflow.last_active_run()
    assert run.data.metrics["gender"] == pytest.approx(leakage("gender", 0.12 + EXCESS - 0.01).measurement.excess.value)
    assert [one.path for one in mlflow.artifacts.list_artifacts(run_id=run.info.run_id)] == ["report.html"]


def test_weights_and_biases_has_the_excess_and_the_page(filed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(filed))
    monkeypatch.setenv("WANDB_SILENT", "true")
    exec(compile(block("Weights & Biases"), "docs/gate.md", "exec"), {})
    (kept,) = filed.glob("wandb/offline-run-*/files/media/html/*.html")
    assert "gender" in kept.read_text(encoding="utf-8")
