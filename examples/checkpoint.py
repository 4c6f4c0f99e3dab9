"""A checkpoint of your own: a torchvision ResNet, saved by torch.save, is audited by its file and by commands.

You learn how a file of weights and a folder of images become an audit, and what `irene layers` says about a
network that you did not write. About a minute on 2 cores. Every image is made here: a square or a disc (the task),
on paper that is warm or cold (the private attribute).

    python examples/checkpoint.py
"""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torchvision.models import resnet18
from torchvision.transforms.functional import normalize, pil_to_tensor

import irene
from irene.command import main as irene_command

SIZE = 32
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""What `--transform imagenet` does: pixels in [0, 1], less the means of ImageNet, over its deviations."""


def draw(folder: Path, n: int = 2000) -> pd.DataFrame:
    """Write n images and their metadata.csv, as `irene audit --data FOLDER` takes them."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIZE, :SIZE]
    rows = []
    for number in range(n):
        shape, paper = random.choice(["disc", "square"]), random.choice(["cold", "warm"])
        (cy, cx), half = random.uniform(10, SIZE - 10, 2), random.uniform(4, 8)
        inside = np.hypot(y - cy, x - cx) < half if shape == "disc" else np.maximum(abs(y - cy), abs(x - cx)) < half
        tint = np.array([150, 140, 130]) if paper == "warm" else np.array([130, 140, 150])
        pixels = np.where(inside[..., None], 60, tint) + random.normal(0, 20, (SIZE, SIZE, 3))
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")
        rows.append({"file_name": f"{number}.png", "shape": shape, "paper": paper})
    table = pd.DataFrame(rows)
    table["split"] = np.where(table.index < n // 2, "train", "test")  # an audit leaves `train` out
    table.to_csv(folder / "metadata.csv", index=False)
    return table


def train(folder: Path, table: pd.DataFrame) -> nn.Module:
    """Train a ResNet-18 on the task alone, as anybody would."""
    torch.manual_seed(0)
    table = table[table["split"] == "train"]
    images = [pil_to_tensor(Image.open(folder / name)) / 255 for name in table["file_name"]]
    inputs = torch.stack([normalize(image, MEAN, DEVIATION) for image in images])
    answers = torch.tensor((table["shape"] == "square").to_numpy()).long()  # classes in the order of the alphabet
    model = resnet18(num_classes=2)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(4):
        for rows in torch.randperm(len(inputs)).split(50):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs[rows]), answers[rows]).backward()
            optimizer.step()
    return model


def main() -> None:
    """Train, save, and audit the file by the commands that a terminal would be given."""
    images = Path("images")
    images.mkdir()
    model = train(images, draw(images))
    torch.save({"model": model.state_dict(), "epoch": 4}, "model.pt")

    where = ["model.pt", "--arch", "torchvision.models:resnet18", "--arch-arg", "num_classes=2"]
    rows = ["--data", "images", "--transform", "imagenet", "--image-size", str(SIZE)]
    irene_command(["layers", *where, *rows], standalone_mode=False)
    asked = ["--task", "shape", "--private", "paper", "-o", "audit.json"]
    irene_command(["audit", *where, *rows, *asked], standalone_mode=False)

    result = irene.read_audit("audit.json")  # the evidence: everything else is made from it
    print(result.to_frame()[["attribute", "layer", "verdict", "balanced_accuracy", "floor_balanced_accuracy"]].round(2))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place, contextlib.chdir(place):
        main()
