"""Before, after, and the gate: several releases of one model are held against a limit, and a build stops or goes on.

You learn to compare methods on the same rows, what a gate asks beside the leak (that the task is not lost), its
exit codes, and the JUnit file that a build reads. About two minutes on 2 cores; nothing is downloaded.

    python examples/before_after.py
"""

import contextlib
import tempfile

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import irene
from irene.command import main as irene_command

LIMIT = 0.05
"""The largest excess over the floor that passes: five points of balanced accuracy."""


def network() -> nn.Module:
    """Build a network for digits of 8×8 pixels; its bottleneck is what the last layer is given."""
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 32), nn.ReLU(), nn.Linear(32, 10))


def scanned_digits() -> tuple[torch.Tensor, dict[str, np.ndarray], np.ndarray]:
    """Return digits from two scanners, one of which is a little darker: pixels, labels and source images."""
    bundled = load_digits()
    source = np.arange(len(bundled.target)).repeat(5)
    random = np.random.default_rng(0)
    scanner = random.choice(["bright", "dark"], len(source))
    ink = np.where(scanner == "dark", 1.0, 0.6)[:, None]
    pixels = ink * bundled.images[source].reshape(len(source), 64) / 16 + random.normal(0, 0.1, (len(source), 64))
    inputs = torch.tensor(pixels, dtype=torch.float32)
    return inputs, {"digit": bundled.target[source], "scanner": scanner}, source


def train(model: nn.Module, inputs: torch.Tensor, digits: torch.Tensor) -> None:
    """Train on the task alone, as anybody would."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(12):
        for rows in torch.randperm(len(inputs)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), digits[rows]).backward()
            optimizer.step()


def main() -> None:
    """Train one model, sanitize it in three ways, and let the gate decide on each."""
    torch.manual_seed(0)
    inputs, labels, source = scanned_digits()
    half = len(inputs) // 2  # the first half shapes models, the second is for attackers alone

    def rows(part: slice) -> irene.LabelledData:
        columns = {name: values[part] for name, values in labels.items()}
        return irene.labelled(inputs[part], columns, group=source[part], group_name="source image")

    model = network()
    train(model, inputs[:half], torch.tensor(labels["digit"][:half]))
    torch.save(model.state_dict(), "model.pt")
    settings = irene.Settings(limit=LIMIT, ceiling=False)

    def audited(file: str) -> irene.AuditResult:
        model = irene.load(file, f"{__file__}:network")
        return irene.audit(model, rows(slice(half, None)), task="digit", private="scanner", settings=settings)

    before = audited("model.pt")
    irene.write_audit(before, "before.json")
    for method in (
        "plain",
        "leace",
        "codebook",
    ):  # more training and no removal; a linear one; one word for each answer
        loaded = irene.load("model.pt", f"{__file__}:network")
        options = irene.SanitizeOptions(epochs=3)
        fit = rows(slice(half))
        irene.sanitize(loaded, fit, f"{method}.pt", task="digit", private="scanner", method=method, options=options)
        after = audited(f"{method}.pt")
        irene.write_audit(after, f"{method}.json")
        outcome = irene.gate(after, before, private="scanner", losses=irene.Losses(task=0.05))
        read = after.private[0].measurement.score.value
        print(f"{method}: {outcome.title}, exit code {outcome.exit_code}; the scanner is read in {read:.1%} of cases.")

    print("What a build does with the last one:")
    command = ["check", "codebook.json", "--before", "before.json", "--private", "scanner", "--junit", "check.xml"]
    code = irene_command(command, standalone_mode=False)
    print(f"Exit code {code}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        main()
