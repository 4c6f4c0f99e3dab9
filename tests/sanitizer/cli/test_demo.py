"""The main job end to end, as a user runs it: the demo in a process of its own, and what it leaves behind."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import Result

from audit.errors import IreneError
from audit.evidence.audit_result import AuditResult, read_audit
from audit.model.release import ENCODER, KEYS


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
    (leaky,), (clean,) = before.private, after.private
    assert leaky.decided.verdict == "FAIL"
    assert clean.measurement.score.high < leaky.measurement.score.low
    assert clean.measurement.excess.value < 0.25 * leaky.measurement.excess.value
    assert clean.decided.verdict != "FAIL"


def test_the_bound_on_every_attacker_lies_above_the_strongest_that_was_tried_and_not_far(
    demo: tuple[Path, str],
) -> None:
    before, after = audits(demo[0])
    (leaky,), (clean,) = before.private, after.private
    assert leaky.certificate is None
    assert clean.certificate is not None
    strongest = clean.measurement.score.value
    assert strongest < clean.certificate.balanced_accuracy < strongest + 0.1


def test_the_task_is_kept_within_three_points(demo: tuple[Path, str]) -> None:
    before, after = audits(demo[0])
    assert before.task is not None
    assert after.task is not None
    assert after.task.accuracy.value > before.task.accuracy.value - 0.03


def test_both_audits_saw_the_same_rows_and_the_after_names_its_parent(demo: tuple[Path, str]) -> None:
    before, after = audits(demo[0])
    assert before.data == after.data
    assert after.checkpoint.sanitizing is not None
    assert after.checkpoint.sanitizing.parent_sha256 == before.checkpoint.sha256


def test_the_clean_checkpoint_has_the_leaky_ones_keys_and_what_stands_at_its_bottleneck(demo: tuple[Path, str]) -> None:
    leaky, clean = (safetensors.torch.load_file(demo[0] / f"{name}.safetensors") for name in ("model", "clean"))
    own = {name.removeprefix(ENCODER): tensor for name, tensor in clean.items() if name.startswith(ENCODER)}
    assert {name: (tensor.shape, tensor.dtype) for name, tensor in leaky.items()} == {
        name: (tensor.shape, tensor.dtype) for name, tensor in own.items()
    }
    map_ = {"irene.map.weight", "irene.map.bias", "irene.map.cuts", "irene.map.words"}
    assert {name for name in clean if not name.startswith(ENCODER)} == {"irene.layer", *map_} <= KEYS
    assert any(not leaky[name].equal(own[name]) for name in leaky)


def test_it_ends_with_a_sentence_before_and_after_the_task_and_the_path_of_the_page(demo: tuple[Path, str]) -> None:
    folder, said = demo
    before, after = audits(folder)
    *_, first, second, task, path = said.strip().splitlines()
    assert first.startswith("Before, a fresh attacker reads the colour")
    assert f"{before.private[0].measurement.score.value:.1%}" in first
    assert first.endswith("FAIL.")
    assert second.startswith("After, a fresh attacker reads the colour")
    assert second.endswith(f"{after.private[0].decided.verdict}.")
    assert before.task is not None
    assert after.task is not None
    assert f"{before.task.accuracy.value:.1%} before, {after.task.accuracy.value:.1%} after" in task
    assert path == f"The report: {(folder / 'report.html').resolve()}"
    assert (folder / "report.html").stat().st_size < 1_000_000


def test_a_head_that_certifies_itself_is_shown_as_a_failure_when_a_fresh_attacker_reads_more(
    demo: tuple[Path, str], run: Callable[..., Result], tmp_path: Path
) -> None:
    """The paper's method on the demo's model: its own head reads about chance, a fresh attacker does not."""
    rows = "--arch small-convnet --data digits --task digit --private colour"
    fooled, page = tmp_path / "fooled.safetensors", tmp_path / "report.html"
    paper = "--method irene --optimizer sgd --lr 0.1 --batch-size 100 --alpha 0.5 --weight 0.5 --epochs 10"
    assert run("sanitize", demo[0] / "model.safetensors", rows, paper, "-o", fooled).exit_code == 0
    assert run("audit", fooled, rows, "-o", tmp_path / "after.json").exit_code == 0
    ended = run("report", demo[0] / "before.json", tmp_path / "after.json", "-o", page)
    after = read_audit(tmp_path / "after.json")
    (found,) = after.private
    assert after.checkpoint.sanitizing is not None
    head = after.checkpoint.sanitizing.head_accuracy["colour"]
    assert head is not None
    assert head < 0.15 < found.measurement.score.low
    assert found.decided.verdict == "FAIL"
    assert "FAIL: colour at classifier:input" in ended.output
    assert "Self-certification failed" in ended.output
    assert "Self-certification failed" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["model.safetensors", "before.json", "after.json", "report.html"])
@pytest.mark.parametrize("content", [b"mine", safetensors.torch.save({"weight": torch.ones(2)})])
def test_a_folder_of_somebody_elses_is_refused_before_any_work(
    name: str, content: bytes, run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    refused = run("demo -o", tmp_path)
    assert refused.exit_code == 1
    assert refused.output.count("\n") == 1
    assert f"{name} is there already, is no work of a demo and would be lost. Name another folder" in refused.output
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(name, content)]


@pytest.mark.parametrize("left", [(), ("before.json",), ("before.json", "after.json", "report.html")])
def test_a_demo_is_repeated_in_its_folder_also_where_it_was_stopped(
    left: tuple[str, ...], run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sanitizer.training.loop.fine_tune", lambda *_, **__: None)
    monkeypatch.setattr("sanitizer.cli.demo._run", lambda *_: (_ for _ in ()).throw(IreneError("The demo is stopped.")))
    for _ in range(2):
        assert run("demo -o", tmp_path).output.endswith("Error: The demo is stopped.\n")
        assert (tmp_path / "model.safetensors").is_file()
        for name in left:
            (tmp_path / name).write_bytes(b"of the demo")
