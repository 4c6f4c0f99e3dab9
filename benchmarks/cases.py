"""The models and rows that removal.py works on: coloured digits, faces and a table, each with what is to go."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch
from torch import nn

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.data.sources.table import load as open_table
from audit.model.example_networks import small_convnet
from sanitizer.job import Recipe, TrainingJob
from sanitizer.sweep.input_cache import cache_inputs
from sanitizer.training.loop import fine_tune

KEPT = 20
"""Attributes of CelebA that should stay: those least correlated with gender."""
FEWEST = 60
"""Rows of the rarer class that such an attribute has at least."""


@dataclass(frozen=True)
class Case:
    """One model, its rows, and what is to go."""

    model: nn.Module
    """Trained on the task alone."""
    train: LabelledData
    rows: LabelledData
    task: str
    private: str
    layer: str
    recipe: Recipe
    paper: Recipe
    """For the method as published."""
    kept: tuple[str, ...] = ()

    @cached_property
    def plain(self) -> tuple[nn.Module, float]:
        """The model after plain fine-tuning, and the seconds that took."""
        model, begin = copy.deepcopy(self.model), time.perf_counter()
        fine_tune(model, TrainingJob(self.train, task=self.task, layer=self.layer, recipe=self.recipe))
        return model, time.perf_counter() - begin


def biased_mnist(places: Path, kept: Path, seed: int, rho: float) -> Case:
    """10,000 coloured digits and a small ConvNet; audited where colour and digit are independent."""
    options = {"data_root": str(places)}
    train = open_data("biased-mnist", "train", options | {"rho": rho, "seed": seed}).limited(10_000, seed=seed)
    rows = open_data("biased-mnist", "audit", options | {"seed": seed})
    train, rows = cache_inputs(train)[0], cache_inputs(rows)[0]
    start = Recipe(20, batch_size=128, lr=3e-3, seed=seed)
    model = trained(kept / f"biased-mnist-{rho}-{seed}", small_convnet, train, "digit", "classifier:input", start)
    recipe = Recipe(5, batch_size=256, lr=1e-3, seed=seed)
    paper = replace(recipe, batch_size=100, optimizer="sgd", lr=0.1, alpha=0.5)
    return Case(model, train, rows, "digit", "colour", "classifier:input", recipe, paper)


def celeba(places: Path, kept: Path, seed: int, task: str) -> Case:
    """5,000 faces at 64 pixels and a ResNet-18; one checkpoint for all seeds."""
    from torchvision.models import resnet18

    train, rows = (faces(places, part) for part in ("train", "audit"))
    start = Recipe(25, batch_size=128, lr=2e-3, weight_decay=1e-2, precision="bf16-mixed", augment="flip")

    def build() -> nn.Module:
        net: nn.Module = resnet18(num_classes=2).to(memory_format=torch.channels_last)
        return net

    model = trained(kept / f"celeba-{task}", build, train, task, "fc:input", start)
    recipe = replace(start, epochs=8, lr=5e-4, batch_size=256, weight_decay=1e-4, seed=seed)
    paper = replace(recipe, batch_size=100, optimizer="sgd", lr=0.01, alpha=0.5)
    return Case(model, train, rows, task, "Male", "fc:input", recipe, paper, least_correlated(train, task))


def adult(places: Path, kept: Path, seed: int) -> Case:
    """The Adult table and an MLP that does not see the sex."""
    path = places / "tabular" / "adult.csv"
    features = (
        "age,workclass,education-num,marital-status,occupation,relationship,race,capital-gain,capital-loss,"
        "hours-per-week,native-country"
    )
    table = open_table(path, "audit", features=features)
    order = np.random.default_rng(seed).permutation(len(table))
    train, rows = table.take(order[: len(order) // 2]), table.take(order[len(order) // 2 :])
    d = len(table.inputs[0])

    def build() -> nn.Module:
        return nn.Sequential(nn.Linear(d, 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 2))

    start = Recipe(15, batch_size=256, lr=1e-3, seed=seed)
    model = trained(kept / f"adult-{seed}", build, train, "income-per-year", "4:input", start)
    recipe = Recipe(8, batch_size=512, lr=1e-3, seed=seed)
    paper = replace(recipe, batch_size=100, optimizer="sgd", lr=0.01, alpha=0.5)
    return Case(model, train, rows, "income-per-year", "sex", "4:input", recipe, paper)


SETS: dict[str, Callable[[Path, Path, int], Case]] = {
    "Biased-MNIST, rho .1": lambda places, kept, seed: biased_mnist(places, kept, seed, 0.1),
    "Biased-MNIST, rho .9": lambda places, kept, seed: biased_mnist(places, kept, seed, 0.9),
    "CelebA, smiling": lambda places, kept, seed: celeba(places, kept, seed, "Smiling"),
    "CelebA, blond hair": lambda places, kept, seed: celeba(places, kept, seed, "Blond_Hair"),
    "CelebA, eyeglasses": lambda places, kept, seed: celeba(places, kept, seed, "Eyeglasses"),
    "Adult": adult,
}


@cache
def faces(places: Path, part: Any) -> LabelledData:
    """Decode CelebA's images once."""
    return cache_inputs(open_data("celeba", part, {"data_root": str(places / "celeba"), "image_size": 64}))[0]


def least_correlated(data: LabelledData, task: str) -> tuple[str, ...]:
    """Return the attributes least correlated with gender on the training rows, with enough rows of both classes."""
    male = data.codes("Male")
    found = {}
    for name, column in data.columns.items():
        if isinstance(column, Column) and len(column.classes) == 2 and name not in ("Male", task):
            counts = np.bincount(column.codes, minlength=2)
            if counts.min() >= FEWEST:
                found[name] = abs(float(np.corrcoef(column.codes, male)[0, 1]))
    return tuple(sorted(found, key=lambda name: found[name])[:KEPT])


def trained(
    path: Path, build: Callable[[], nn.Module], train: LabelledData, task: str, layer: str, recipe: Recipe
) -> nn.Module:
    """Return the checkpoint of that name, trained on the task alone if it is not there."""
    torch.manual_seed(recipe.seed)
    model, file = build(), path.with_name(path.name + ".safetensors")
    if not file.exists():
        fine_tune(model, TrainingJob(train, task=task, layer=layer, recipe=recipe))
        file.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file({name: value.contiguous() for name, value in model.state_dict().items()}, file)
    model.load_state_dict(safetensors.torch.load_file(file))
    return model.eval()
