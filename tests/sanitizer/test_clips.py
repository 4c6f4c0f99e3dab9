"""Clips on the disk from the command line, end to end: an audit, a removal that trains on them, and an audit after."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.clips import write

from audit.evidence.audit_result import read_audit

pytest.importorskip("av")
NETWORK = """
from torch import nn

def network():
    bottleneck = nn.Sequential(nn.Conv3d(3, 4, (2, 3, 3)), nn.ReLU(), nn.AdaptiveAvgPool3d(1), nn.Flatten())
    return nn.Sequential(bottleneck, nn.Linear(4, 2))
"""
SHADES = {"dark": 60, "light": 180}
"""Green, which is the task."""
COLOURS = {"red": (180, 60), "blue": (60, 180)}
"""Red and blue, which are private."""


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    draw = np.random.default_rng(0)
    for part in ("train", "test"):
        for row, (shade, colour) in enumerate([(shade, colour) for shade in SHADES for colour in COLOURS] * 14):
            path = tmp_path / "clips" / part / shade / colour / f"{row}.avi"
            red, blue = COLOURS[colour]
            write(path, 4, size=(16, 16), colours=np.add((red, SHADES[shade], blue), draw.integers(-8, 8, 3)))
    return tmp_path / "clips"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Write a network whose first units are the means of green, red and blue, and whose answer is by the first."""
    (tmp_path / "net.py").write_text(NETWORK)
    weight = torch.zeros(4, 3, 2, 3, 3)
    for unit, channel in enumerate((1, 0, 2, 1)):
        weight[unit, channel] = 1 / weight[0, 0].numel()
    head = 20 * torch.tensor([[-1.0, 0, 0, 0], [1, 0, 0, 0]])
    state = {"0.0.weight": weight, "0.0.bias": torch.zeros(4), "1.weight": head, "1.bias": -head[:, 0] * 120 / 255}
    safetensors.torch.save_file(state, tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


def test_clips_are_audited_and_sanitized_by_the_commands(
    clips: Path, model: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    rows = (
        f"--arch {tmp_path}/net.py:network --data {clips} --class-folders shade,colour --frames 3 --clip-axes cthw "
        "--transform unit --image-size 16 --task shade --private colour"
    )
    few = "--attackers logistic --min-class 3 --no-ceiling"
    for command in (
        f"audit {model} {rows} {few} -o {tmp_path}/before.json",
        f"sanitize {model} {rows} --method leace --epochs 1 --batch-size 16 -o {tmp_path}/clean.safetensors",
        f"audit {tmp_path}/clean.safetensors {rows} {few} -o {tmp_path}/after.json",
    ):
        done = run(command)
        assert done.exit_code == 0, done.output
    before, after = (read_audit(tmp_path / f"{name}.json") for name in ("before", "after"))
    assert before.data.options["frames"] == 3 and before.data.options["clip_axes"] == "cthw"
    assert before.data.fingerprint == after.data.fingerprint
    assert before.findings[0].measurement.score.value > 0.75
    assert after.findings[0].measurement.score.value < 0.65
    assert any("each clip was seen as 3 frames" in one for one in before.warnings)
