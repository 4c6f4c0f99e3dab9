"""The demo in Python: a digit classifier tells the colour of its background, and then does not any more.

You learn the six calls that everything else is made of: load, labelled, audit, sanitize, gate and write_report.
About a minute on 2 cores. The digits are those that come with scikit-learn; nothing is downloaded.

    python examples/demo.py
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import irene

COLOURS = {"red": (1.0, 0.3, 0.3), "green": (0.3, 1.0, 0.3), "blue": (0.3, 0.3, 1.0)}


def network() -> nn.Module:
    """Build a small network; its bottleneck is the 32 numbers that the last layer is given."""
    return nn.Sequential(
        *(nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, stride=2, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(128, 32), nn.ReLU()),
        nn.Linear(32, 10),
    )


def coloured_digits() -> tuple[torch.Tensor, dict[str, np.ndarray], np.ndarray]:
    """Return each digit on six backgrounds whose colour has nothing to do with it: images, labels, source images."""
    bundled = load_digits()
    source = np.arange(len(bundled.target)).repeat(6)
    colours = np.random.default_rng(0).choice(list(COLOURS), len(source))
    ink = torch.tensor(bundled.images[source][:, None] / 16, dtype=torch.float32)  # (n, 1, 8, 8)
    paint = torch.tensor([COLOURS[one] for one in colours])[:, :, None, None]  # (n, 3, 1, 1)
    return torch.maximum(ink, paint * (1 - ink)), {"digit": bundled.target[source], "colour": colours}, source


def train(model: nn.Module, images: torch.Tensor, digits: torch.Tensor) -> None:
    """Train on the task alone, as anybody would."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(16):
        for rows in torch.randperm(len(images)).split(64):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images[rows]), digits[rows]).backward()
            optimizer.step()


def main(folder: Path) -> None:
    """Train, audit, sanitize, audit again, and write the report into a folder."""
    torch.manual_seed(0)
    images, labels, source = coloured_digits()
    half = len(images) // 2  # the first half shapes models, the second is for attackers alone

    def rows(part: slice) -> irene.LabelledData:
        columns = {name: values[part] for name, values in labels.items()}
        return irene.labelled(
            images[part], columns, group=source[part], group_name="source image"
        )  # never on two sides

    training_rows, audit_rows = rows(slice(half)), rows(slice(half, None))
    model = network()
    train(model, images[:half], torch.tensor(labels["digit"][:half]))
    torch.save(model.state_dict(), folder / "model.pt")

    loaded = irene.load(folder / "model.pt", f"{__file__}:network")
    before = irene.audit(loaded, audit_rows, task="digit", private="colour")

    options = irene.SanitizeOptions(epochs=5)
    irene.sanitize(loaded, training_rows, folder / "clean.pt", task="digit", private="colour", options=options)

    clean = irene.load(folder / "clean.pt", f"{__file__}:network")  # the release at its bottleneck comes with it
    after = irene.audit(clean, audit_rows, task="digit", private="colour")
    irene.write_report(folder / "report.html", before, after)

    for when, result in (("Before", before), ("After", after)):
        found, task = result.private[0], result.task
        read, floor = found.measurement.score, found.measurement.floor_score
        print(f"{when}: {found.decided.verdict}. A fresh attacker reads the colour in {read.value:.1%} of cases,")
        print(f"  the predicted digit alone gives {floor.value:.1%}; the task is right in {task.accuracy.value:.1%}.")
    print(f"The gate ends with exit code {irene.gate(after, before, private='colour').exit_code}.")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        main(Path(place))
