"""The options that say what a model's outputs stand for, and the task beside the leak on the terminal."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.audited import Net, table

from audit.evidence.audit_result import read_audit

Run = Callable[..., Result]
FEATURES = ",".join(f"x{place}" for place in range(6))
OWN = """
from torch import nn
from support.audited import Net as net

def single():
    return nn.Sequential(nn.Linear(6, 1, bias=False))

def plain():
    return lambda frame: frame.to_numpy("float32")
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network that does its task, one with a single output, and a table of rows."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN, encoding="utf-8")
    safetensors.torch.save_file(Net().state_dict(), tmp_path / "model.safetensors")
    safetensors.torch.save_file({"0.weight": torch.eye(1, 6)}, tmp_path / "single.safetensors")
    x, columns = table()
    frame = pd.DataFrame(x.numpy(), columns=FEATURES.split(","))
    frame["smile"] = np.where(np.asarray(columns["y"]) == "yes", "neutral", "grin")  # the alphabet has them inverted
    frame["y"], frame["v"], frame["w"] = columns["y"], columns["v"], columns["w"]
    frame["split"] = np.where(np.arange(len(frame)) < 300, "train", "audit")
    frame.to_csv("rows.csv", index=False)
    return tmp_path


DATA = f"--data rows.csv --features {FEATURES} --transform own.py:plain --private v"
AUDIT = f"{DATA} --attackers logistic --no-ceiling --arch own.py:net --layer head:input"
SINGLE = f"{DATA} --attackers logistic --no-ceiling --arch own.py:single --layer 0:input"


def test_the_task_stands_beside_the_leak(folder: Path, run: Run) -> None:
    told = run("audit model.safetensors", AUDIT, "--task y -o a.json")
    assert told.exit_code == 0, told.output
    assert told.stdout.splitlines()[0].startswith("Task y: accuracy 9")
    assert "always answering the most frequent class gives 5" in told.stdout.splitlines()[0]
    assert "Note: the model's outputs were taken in the order no,yes of the classes of 'y'" in told.stderr


def test_names_that_the_alphabet_inverts_are_told_and_the_option_mends_them(folder: Path, run: Run) -> None:
    frame = pd.read_csv("rows.csv")
    frame["smile"] = np.where(frame["y"] == "yes", "grin", "neutral")
    frame.to_csv("rows.csv", index=False)
    wrong = run("audit model.safetensors", AUDIT, "--task smile -o a.json")
    assert wrong.stdout.splitlines()[0].endswith("and the model is not above it.")
    assert "in the order neutral,grin; if they do, name it by --task-classes" in wrong.stderr
    for option in ("--task-classes neutral,grin", "--positive grin"):
        right = run("audit model.safetensors", AUDIT, "--task smile -o b.json", option)
        assert right.exit_code == 0, right.output
        assert "Task smile: accuracy 9" in right.stdout and "order" not in right.stderr
    found = read_audit(folder / "b.json").task
    assert found is not None and found.classes == ["neutral", "grin"]


def test_a_single_output_is_for_the_class_that_is_named(folder: Path, run: Run) -> None:
    right = run("audit single.safetensors", SINGLE, "--task smile --positive neutral -o a.json")
    assert "Task smile: accuracy 9" in right.stdout
    assert "Note: the model's single output was taken for the class 'neutral' of 'smile'." in right.stderr
    wrong = run("audit single.safetensors", SINGLE, "--task smile --positive grin -o a.json")
    assert "is not above" in wrong.stderr and "Task smile: accuracy " in wrong.stdout


@pytest.mark.parametrize(
    ("option", "code", "fact"),
    [
        ("--task y --positive maybe", 1, "Unknown class of 'y' 'maybe'"),
        ("--task y --positive yes --task-classes yes,no", 2, "both name an order"),
        ("--positive yes", 2, "no task"),
        ("--task y --task-classes yes", 1, "lacks 'no'"),
    ],
)
def test_an_order_that_cannot_be_is_one_line(folder: Path, run: Run, option: str, code: int, fact: str) -> None:
    told = run("audit model.safetensors", AUDIT, option, "-o a.json")
    assert (told.exit_code, fact in told.output) == (code, True), told.output
    assert not (folder / "a.json").exists()


TRAIN = f"sanitize model.safetensors {DATA} --arch own.py:net --layer head:input --epochs 1 --batch-size 64 --lr 0.001"


@pytest.mark.slow
def test_sanitize_refuses_inverted_labels_before_a_step_and_says_what_a_release_leaves(folder: Path, run: Run) -> None:
    frame = pd.read_csv("rows.csv")
    frame["smile"] = np.where(frame["y"] == "yes", "grin", "neutral")
    frame.to_csv("rows.csv", index=False)
    was = {path.name for path in folder.iterdir()}
    refused = run(TRAIN, "--task smile -o clean.safetensors")
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1 and "--task-classes" in refused.stderr and "--allow-chance" in refused.stderr
    assert {path.name for path in folder.iterdir()} - {"__pycache__"} == was - {"__pycache__"}
    done = run(TRAIN, "--task smile --positive grin -o clean.safetensors")
    assert done.exit_code == 0, done.output
    assert "Note: What the encoder gives before the code at head:input leaks as before" in done.stdout
    assert "Note: The weights stand under 'irene.encoder.'" in done.stdout
    after = run("audit clean.safetensors", AUDIT, "--task smile --positive grin -o a.json")
    assert "Note: the model carries a release at head:input; what the encoder gives before it leaks" in after.stderr
    made = read_audit(folder / "a.json").checkpoint.sanitizing
    assert made is not None and len(made.notes) == 2
    assert "Task smile: accuracy 9" in after.stdout


@pytest.mark.slow
def test_a_sweep_refuses_inverted_labels_too(folder: Path, run: Run) -> None:
    typed = TRAIN.replace("sanitize", "sweep") + " --attackers logistic --methods plain"
    refused = run(typed, "--task y --positive no -o s.json")
    assert refused.exit_code == 1 and "--allow-chance" in refused.stderr and not (folder / "s.json").exists()
