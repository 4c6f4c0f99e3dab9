"""A run that was stopped, killed or broke goes on from its last whole epoch, to the same weights."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.planted import ROWS
from support.training import net, rows

from audit.data.sources.opening import open_data
from audit.errors import CheckpointError, TrainingError
from audit.model.checkpoint import load
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.irene import Irene
from sanitizer.methods.rich import Rich
from sanitizer.options import SanitizeOptions
from sanitizer.run import sanitize, state_file
from sanitizer.training.loop import fine_tune
from sanitizer.training.resume import ResumeFile


def stopping(after: int) -> Callable[[Iterable[Any], int, str], Iterator[Any]]:
    """Return a track that is interrupted when so many epochs are done."""

    def track(items: Iterable[Any], _length: int, _label: str) -> Iterator[Any]:
        for place, item in enumerate(items):
            if place == after:
                raise KeyboardInterrupt
            yield item

    return track


@pytest.mark.parametrize(
    ("method", "recipe"),
    [
        (Irene(head="mlp"), Recipe(4, 40, "sgd", lr=0.01)),
        (Codebook(), Recipe(4, 40, lr=0.01)),
        (Codebook(), Recipe(4, 40, lr=0.01, reweigh=True)),
        (Rich(rank=4, memory=120), Recipe(4, 40, lr=0.01)),
    ],
)
def test_a_stopped_run_goes_on_to_the_weights_of_an_unbroken_one(
    method: Method, recipe: Recipe, tmp_path: Path
) -> None:
    job = TrainingJob(rows(), "y", "fc:input", ["v"], method=method, recipe=recipe)
    unbroken, stopped, resumed = net(), net(), net()
    whole = fine_tune(unbroken, job)
    with pytest.raises(KeyboardInterrupt):
        fine_tune(stopped, job, resume_file=ResumeFile(tmp_path / "state", "these", resume=False), track=stopping(2))
    assert "irene" not in dict(stopped.named_children())
    left: list[int] = []

    def counting(items: Iterable[Any], length: int, _label: str) -> Iterable[Any]:
        left.append(length)
        return items

    resume_file = ResumeFile(tmp_path / "state", "these", resume=True)
    again = fine_tune(resumed, job, resume_file=resume_file, track=counting)
    assert left == [2]  # of 4: what was done is not done again
    assert again == whole
    assert resumed.state_dict().keys() == unbroken.state_dict().keys()
    for name, tensor in unbroken.state_dict().items():
        assert torch.equal(resumed.state_dict()[name], tensor), name


def test_a_run_that_patience_had_ended_is_not_trained_on(tmp_path: Path) -> None:
    recipe = Recipe(9, 40, lr=0.0, patience=2)
    job = TrainingJob(rows(), "y", "fc:input", ["v"], method=Irene(), recipe=recipe)
    whole = fine_tune(net(), job, resume_file=ResumeFile(tmp_path / "state", "these", resume=False))
    assert len(whole.trace) < 9
    assert fine_tune(net(), job, resume_file=ResumeFile(tmp_path / "state", "these", resume=True)) == whole


def test_the_state_of_another_run_is_not_taken(tmp_path: Path) -> None:
    job = TrainingJob(rows(), "y", "fc:input", ["v"], recipe=Recipe(1, 40))
    fine_tune(net(), job, resume_file=ResumeFile(tmp_path / "state", "these", resume=False))
    with pytest.raises(TrainingError, match="other settings"):
        fine_tune(net(), job, resume_file=ResumeFile(tmp_path / "state", "those", resume=True))
    (tmp_path / "state").write_bytes((tmp_path / "state").read_bytes()[:-100])
    with pytest.raises(CheckpointError):
        fine_tune(net(), job, resume_file=ResumeFile(tmp_path / "state", "these", resume=True))


def test_a_run_with_other_private_attributes_does_not_go_on_from_a_state(leaky: Path, tmp_path: Path) -> None:
    loaded, out = load(leaky, "small-convnet"), tmp_path / "clean.safetensors"
    data = open_data("digits", "train", {}).limited(900, seed=0)
    data = replace(data, columns={**data.columns, "other": data.columns["colour"]})
    given, again = SanitizeOptions(2, 128), SanitizeOptions(2, 128, resume=True)
    halted = replace(given, track=stopping(1))
    with pytest.raises(KeyboardInterrupt):
        sanitize(loaded, data, out, task="digit", private="colour", options=halted)
    with pytest.raises(TrainingError, match="other settings, data or checkpoint"):
        sanitize(load(leaky, "small-convnet"), data, out, task="digit", private="other", options=again)
    with pytest.raises(TrainingError, match="Go on with --resume, or remove it to begin anew"):
        sanitize(load(leaky, "small-convnet"), data, out, task="digit", private=["colour"], options=given)
    assert state_file(out).is_file() and not out.exists()
    sanitize(load(leaky, "small-convnet"), data, out, task="digit", private="colour", options=again)
    assert out.is_file() and not state_file(out).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
def test_a_killed_command_is_resumed_bit_for_bit(leaky: Path, run: Callable[..., Result], tmp_path: Path) -> None:
    asked = f"{ROWS} --limit-rows 1500 --batch-size 128 --epochs 4 --lr 0.01"
    assert run("sanitize", leaky, asked, "-o", tmp_path / "whole.safetensors").exit_code == 0
    broken = tmp_path / "broken.safetensors"
    state = tmp_path / "broken.safetensors.state"
    command = [sys.executable, "-m", "irene", "sanitize", str(leaky), *asked.split(), "-o", str(broken)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not state.exists():
        assert process.poll() is None, "it ended before it could be killed"
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not broken.exists()
    done = run("sanitize", leaky, asked, "--resume -o", broken)
    assert done.exit_code == 0, done.output
    assert not state.exists()
    whole, resumed = (safetensors.torch.load_file(tmp_path / f"{name}.safetensors") for name in ("whole", "broken"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_that_breaks_keeps_the_last_good_state_and_names_the_term(
    leaky: Path, run: Callable[..., Result], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "breaks.py").write_text(
        "from dataclasses import dataclass\n"
        "from sanitizer.methods.base import Objective, Terms\n"
        "class Bad(Objective):\n"
        "    def terms(self, batch):\n"
        "        told = super().terms(batch)\n"
        "        bad = batch.z.sum() * (float('nan') if batch.progress >= 0.5 else 0.0)\n"
        "        return Terms(told.task, {'colour': bad})\n"
        "@dataclass(frozen=True)\n"
        "class Breaks:\n"
        "    weight: float = 1.0\n"
        "    def start(self, setting):\n"
        "        return Bad()\n",
        encoding="utf-8",
    )
    out = tmp_path / "clean.safetensors"
    asked = f"{ROWS} --limit-rows 600 --batch-size 128 --epochs 2 --method {tmp_path}/breaks.py:Breaks"
    done = run("sanitize", leaky, asked, "-o", out)
    assert done.exit_code == 1
    assert "the removal term of 'colour' is nan" in done.output
    assert f"{out}.state" in done.output.replace("\n", "")
    assert Path(f"{out}.state").is_file()
    assert not out.exists()


def test_there_must_be_a_state_to_go_on_from(leaky: Path, run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("sanitize", leaky, ROWS, "--resume -o", tmp_path / "clean.safetensors")
    assert done.exit_code == 1
    assert "Leave --resume out to begin" in done.output
