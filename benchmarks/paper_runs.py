"""The runs of paper.py: a model trained by one method of the paper, the head that watched it, and fresh attackers.

Tartaglione, Information Removal at the bottleneck in Deep Neural Networks, BMVC 2022, sections 4.1 and 4.2. The head in
the loop is the paper's H: one linear layer. Beside the methods that have none it is trained on gradients that never
reach the encoder. Head and fresh attackers are read on rows that trained nothing.
"""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from paper_others import differentially_private, federated
from sklearn.metrics import recall_score
from torch import Tensor, nn

from audit.data.labelled import LabelledData
from audit.data.sources.opening import open_data
from audit.model.example_networks import biased_mnist, small_convnet
from audit.model.forward import Encoder
from audit.model.representations import extract
from audit.run import audit
from audit.settings import Settings
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Batch, Method, Objective, Rows, Setting, Terms
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.debiasing.learned_mixin import LearnedMixin
from sanitizer.methods.debiasing.rebias import ReBias
from sanitizer.methods.debiasing.rubi import Rubi
from sanitizer.methods.irene import Irene
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs
from sanitizer.methods.plain import Plain
from sanitizer.sweep.input_cache import cache_inputs
from sanitizer.training.loop import fine_tune

RHOS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99)
TARGETS = ("Blond_Hair", "Heavy_Makeup", "Eyeglasses")
GAMMAS = (0.1, 0.5, 1.0)
ALPHA = 0.5
"""The paper's weight of the task beside IRENE's term."""
VANILLA = "vanilla"
FIGURE: dict[str, Method] = {
    VANILLA: Plain(),
    "IRENE": Irene(weight=0.5),
    "RUBi": Rubi(),
    "ReBias": ReBias(),
    "LearnedMixin": LearnedMixin(),
}
TABLE: dict[str, Method] = {VANILLA: Plain()} | {f"IRENE, gamma {gamma:g}": Irene(weight=gamma) for gamma in GAMMAS}
RELEASES: dict[str, Method] = {
    "label (ours)": Codebook(),
    "pairs (ours)": Pairs(words=64),
    "map (ours)": NonlinearMap(rank=16),
}
"""Made of the vanilla model as it is: nothing is trained on."""
OTHERS = ("DP-SGD", "federated averaging")
"""The related work that is no removal."""


@dataclass(frozen=True)
class Scale:
    """How large the runs are."""

    data: str
    """Where the digits are from."""
    network: Callable[[], nn.Module]
    rows: int
    """Coloured digits that train."""
    audited: int
    epochs: int
    seeds: int
    side: int
    """Pixels of a face."""
    faces_epochs: int
    """At most, where the rate falls on a plateau."""
    faces_schedule: Any
    faces_rows: int | None = None
    precision: Any = "32-true"


SCALES = {
    "full": Scale("biased-mnist", biased_mnist, 60_000, 10_000, 80, 10, 224, 200, "plateau"),
    "small": Scale("biased-mnist", small_convnet, 10_000, 2_500, 20, 3, 64, 10, "steps", precision="bf16-mixed"),
    "kernels": Scale("biased-mnist", biased_mnist, 10_000, 2_500, 20, 1, 64, 10, "steps", precision="bf16-mixed"),
    "tiny": Scale("digits", small_convnet, 600, 600, 2, 1, 32, 1, "steps", faces_rows=500),
}
"""The paper's own; a laptop's; the paper's network in a laptop's night; and one that a test has the time for."""


@dataclass(frozen=True)
class Case:
    """Rows, what is told and what is private, and how a model is trained on them."""

    name: str
    train: LabelledData
    rows: LabelledData
    task: str
    private: str
    layer: str
    build: Callable[[], nn.Module]
    recipe: Recipe


def coloured(places: Path, scale: Scale, rho: float, seed: int) -> Case:
    """Digits on a ground whose colour goes with them; those that are audited have any."""
    options = {"data_root": str(places)} if scale.data == "biased-mnist" else {}
    train = open_data(scale.data, "train", options | {"rho": rho, "seed": seed}).limited(scale.rows, seed=seed)
    rows = open_data(scale.data, "audit", options | {"seed": seed}).limited(scale.audited, seed=seed)
    train, rows = cache_inputs(train)[0], cache_inputs(rows)[0]
    recipe = Recipe(
        scale.epochs, batch_size=100, optimizer="sgd", lr=0.1, schedule="steps", choose="last", seed=seed
    )  # weight decay 1e-4, by default

    def build() -> nn.Module:
        net: nn.Module = scale.network().to(memory_format=torch.channels_last)
        return net

    return Case(f"rho {rho:g}", train, rows, "digit", "colour", "classifier:input", build, recipe)


def of_faces(places: Path, scale: Scale, target: str, seed: int) -> Case:
    """Faces and a ResNet-18 from scratch; rows are drawn so that target and gender go together no more."""
    from torchvision.models import resnet18

    train, rows = (faces(places, scale.side, scale.faces_rows, part) for part in ("train", "audit"))

    def build() -> nn.Module:
        net: nn.Module = resnet18(num_classes=2).to(memory_format=torch.channels_last)
        return net

    recipe = Recipe(
        scale.faces_epochs, batch_size=100, optimizer="sgd", lr=0.1, schedule=scale.faces_schedule, weight_decay=1e-5,
        choose="last", precision=scale.precision, reweigh=True, seed=seed,
    )  # fmt: skip
    return Case(target, train, rows, target, "Male", "fc:input", build, recipe)


@cache
def faces(places: Path, side: int, rows: int | None, part: Any) -> LabelledData:
    """Decode the images once, where memory holds them."""
    data = open_data("celeba", part, {"data_root": str(places / "celeba"), "image_size": side})
    return cache_inputs(data.limited(rows, seed=0) if rows else data)[0]


class Watched:
    """A method with the paper's head beside it: the method's own, or one whose gradients never reach the encoder."""

    def __init__(self, method: Method) -> None:
        self.method, self.weight = method, method.weight
        self.objective: Objective | None = None

    def start(self, setting: Setting) -> Objective:
        """Begin."""
        own = self.method.start(setting)
        self.objective = own if isinstance(self.method, Irene) else _Beside(own, Irene().start(setting))
        return self.objective


class _Beside(Objective):
    def __init__(self, own: Objective, head: Objective) -> None:
        super().__init__()
        self.own, self.head = own, head

    def terms(self, batch: Batch) -> Terms:
        return self.own.terms(batch)

    def learn(self, batch: Batch) -> None:
        self.own.learn(batch)
        self.head.learn(batch)

    def says(self, z: Tensor, attribute: str) -> Tensor | None:
        return self.head.says(z, attribute)

    def finished(self, rows: Callable[[], Rows]) -> nn.Module | None:
        return self.own.finished(rows)


def trained(case: Case, method: Method, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """Train from scratch by one method, and return what the head in the loop then reads on the audited rows."""
    torch.manual_seed(case.recipe.seed)
    model, watched, begin = case.build(), Watched(method), time.perf_counter()
    recipe = replace(case.recipe, alpha=ALPHA) if isinstance(method, Irene) else case.recipe
    fine_tune(model, job(case, watched, recipe, device))
    seconds = time.perf_counter() - begin
    assert watched.objective is not None
    z = torch.from_numpy(np.array(extract(Encoder(model), case.rows, [case.layer]).z[case.layer]))
    with torch.no_grad():
        scores = watched.objective.cpu().says(z, case.private)
    assert scores is not None
    return model, of_head(scores, case.rows.codes(case.private)) | {"seconds": seconds}


def of_head(scores: Tensor, v: Any) -> dict[str, Any]:
    """Return what a head reads, as balanced accuracy, and how often it is right, as the paper counts."""
    said = scores.argmax(dim=1).numpy()
    return {
        "head": float(recall_score(v, said, labels=np.unique(v), average="macro")),
        "head_right": float((said == v).mean()),
    }


def released(case: Case, model: nn.Module, method: Method, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """Return a copy of a trained model with a release at its bottleneck."""
    clean, begin = copy.deepcopy(model), time.perf_counter()
    fine_tune(clean, job(case, method, replace(case.recipe, epochs=0), device))
    return clean, {"seconds": time.perf_counter() - begin}


def job(case: Case, method: Method, recipe: Recipe, device: torch.device) -> TrainingJob:
    """Return one training."""
    return TrainingJob(
        case.train, task=case.task, private=[case.private], layer=case.layer, method=method, recipe=recipe,
        device=device,
    )  # fmt: skip


def read(case: Case, model: nn.Module) -> dict[str, Any]:
    """Let fresh attackers read a model's bottleneck, and return what the tables are made of."""
    settings = Settings(seed=case.recipe.seed, null_refits=2, ceiling=False)
    result = audit(model, case.rows, task=case.task, private=case.private, layer=case.layer, settings=settings)
    (found,) = result.private
    measured, certificate, task = found.measurement, found.certificate, result.task
    assert task is not None
    counts = np.bincount(case.rows.codes(case.private))
    return {
        "task": task.accuracy.value,
        "strongest": measured.score.value,
        "floor": measured.floor_score.value,
        "bits": measured.figures["bits"].value,
        "bound": None if certificate is None else certificate.balanced_accuracy,
        "verdict": found.decided.verdict,
        "chance": 1 / len(counts),
        "majority": float(counts.max() / counts.sum()),
        "n": [len(case.train), len(case.rows)],
        "epochs": case.recipe.epochs,
    }


def other(case: Case, arm: str, device: torch.device) -> tuple[nn.Module, dict[str, Any]]:
    """Train by a system of the related work that removes nothing."""
    torch.manual_seed(case.recipe.seed)
    train, begin = differentially_private if arm == OTHERS[0] else federated, time.perf_counter()
    model, told = train(case.build(), case.train, case.task, case.recipe, device)
    return model.cpu().eval(), {"seconds": time.perf_counter() - begin, "told": told}
