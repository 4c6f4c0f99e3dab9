"""The main job end to end, as a user runs it: the demo in a process of its own, and what it leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch

from audit.evidence import AuditResult, read_audit


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "irene", "demo", "-o", str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return folder, ended.stdout


def audits(folder: Path) -> tuple[AuditResult, AuditResult]:
    return read_audit(folder / "before.json"), read_audit(folder / "after.json")


def test_the_untouched_model_fails_and_the_sanitized_one_is_really_cleaner_under_fresh_attackers(
    demo: tuple[Path, str],
) -> None:
    before, after = audits(demo[0])
    (leaky,), (clean,) = before.leakage, after.leakage
    assert leaky.verdict == "FAIL"
    assert clean.balanced_accuracy.high < leaky.balanced_accuracy.low
    assert clean.excess.value < 0.25 * leaky.excess.value
    assert clean.verdict != "FAIL"


def test_the_task_is_kept_within_three_points(demo: tuple[Path, str]) -> None:
    before, after = audits(demo[0])
    assert after.task.accuracy.value > before.task.accuracy.value - 0.03


def test_both_audits_saw_the_same_rows_and_the_after_names_its_parent(demo: tuple[Path, str]) -> None:
    before, after = audits(demo[0])
    assert before.data == after.data
    assert after.checkpoint.sanitizing is not None
    assert after.checkpoint.sanitizing.parent_sha256 == before.checkpoint.sha256


def test_the_clean_checkpoint_drops_into_the_place_of_the_leaky_one(demo: tuple[Path, str]) -> None:
    leaky, clean = (safetensors.torch.load_file(demo[0] / f"{name}.safetensors") for name in ("model", "clean"))
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in leaky.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in clean.items()
    }
    assert any(not leaky[name].equal(clean[name]) for name in leaky)


def test_it_ends_with_a_sentence_before_and_after_the_task_and_the_path_of_the_page(demo: tuple[Path, str]) -> None:
    folder, said = demo
    before, after = audits(folder)
    *_, first, second, task, path = said.strip().splitlines()
    assert first.startswith("Before, a fresh attacker reads the colour")
    assert f"{before.leakage[0].balanced_accuracy.value:.1%}" in first
    assert first.endswith("FAIL.")
    assert second.startswith("After, a fresh attacker reads the colour")
    assert second.endswith(f"{after.leakage[0].verdict}.")
    assert f"{before.task.accuracy.value:.1%} before, {after.task.accuracy.value:.1%} after" in task
    assert path == f"The report: {(folder / 'report.html').resolve()}"
    assert (folder / "report.html").stat().st_size < 1_000_000
