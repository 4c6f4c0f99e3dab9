"""The whole path on the real MNIST and on CelebA, where they are: audit, sanitize, audit again, report."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from click.testing import Result
from support.machine import REAL
from torchvision.models import resnet18

from audit.evidence.audit_result import read_audit
from audit.model.example_networks import biased_mnist

MNIST = "--arch biased-mnist --data biased-mnist --rho 0.1 --task digit --private colour"
FACES = (
    "--arch torchvision.models:resnet18 --arch-arg num_classes=2 --layer avgpool "
    "--data celeba --image-size 32 --task Smiling --private Male,Young"
)
CASES = [
    pytest.param(
        biased_mnist,
        MNIST,
        REAL,
        1000,
        marks=pytest.mark.data("MNIST"),
        id="biased-mnist",
    ),
    pytest.param(
        lambda: resnet18(num_classes=2),
        FACES,
        REAL / "celeba",
        600,
        marks=pytest.mark.data("celeba"),
        id="celeba",
    ),
]


@pytest.mark.parametrize(("network", "options", "root", "rows"), CASES)
def test_the_whole_path_runs_from_a_checkpoint_on_disk(
    network: Callable[[], torch.nn.Module],
    options: str,
    root: Path,
    rows: int,
    run: Callable[..., Result],
    tmp_path: Path,
) -> None:
    model, clean, page = tmp_path / "model.pt", tmp_path / "clean.pt", tmp_path / "report.html"
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.save({"state_dict": network().state_dict(), "epoch": 0}, model)
    data, quick = ("--data-root", root), f"--attackers logistic --limit-rows {rows}"
    steps: list[tuple[str | Path, ...]] = [
        ("audit", model, options, *data, quick, "-o", before),
        (
            "sanitize",
            model,
            options,
            *data,
            f"--limit-rows {rows // 4} --batch-size 64 --epochs 1 --allow-chance",
            "-o",
            clean,
        ),
        ("audit", clean, options, *data, quick, "-o", after),
        ("report", before, after, "-o", page),
    ]
    for step in steps:
        ended = run(*step)
        assert ended.exit_code == 0, ended.output
    first, last = read_audit(before), read_audit(after)
    assert first.data == last.data
    assert first.data.rows == rows
    assert last.checkpoint.sanitizing is not None
    assert [one.attribute for one in last.private] == options.split("--private ")[1].split(",")
    assert (first.data.group == "person") == (network is not biased_mnist)
    assert torch.load(clean, weights_only=True).keys() == {"state_dict"}
    assert page.stat().st_size > 10_000
