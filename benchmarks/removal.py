"""What fresh attackers read after every method of removal, and what it costs: the table that irene stands on.

    python benchmarks/removal.py --data-root ../shared/data --seeds 3

Every arm starts from the same trained checkpoint and sees the same training rows for the same number of epochs;
attackers are fitted, chosen and tested on rows that no arm saw, people-disjoint where there are people. Peers that
edit features work on those of the plainly fine-tuned model. Every run is a line in --out; a second call goes on.
"""

import copy
import datetime
import json
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import erasers
import numpy as np
import torch
from cases import SETS, Case
from mance import mance
from numpy.typing import NDArray
from obliviator import obliviator
from removal_tables import rich, table, when
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from audit.data.columns import Column, Ints
from audit.data.labelled import LabelledData
from audit.environment import versions
from audit.evidence.audit_result import AuditResult
from audit.model.forward import Encoder
from audit.model.layers import parse
from audit.model.representations import extract
from audit.run import audit, audit_embeddings
from audit.settings import Settings
from sanitizer.job import TrainingJob
from sanitizer.methods.base import Method
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.debiasing.end import EnD
from sanitizer.methods.debiasing.learned_mixin import LearnedMixin
from sanitizer.methods.debiasing.lff import LfF
from sanitizer.methods.debiasing.rebias import ReBias
from sanitizer.methods.debiasing.rubi import Rubi
from sanitizer.methods.gradient_reversal import GradientReversal
from sanitizer.methods.irene import Irene
from sanitizer.methods.kernel import Kernel
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich
from sanitizer.training.loop import fine_tune

AS_THEY_ARE = "rich, images as they are"
"""Not shifted, not mirrored."""
REWEIGHED: dict[str, Method] = {
    "plain fine-tuning, reweighed": Plain(),
    "codebook, reweighed": Codebook(),
}
"""Trained on rows drawn as if the task and the attribute had nothing to do with each other."""
METHODS: dict[str, Method] = {
    "plain fine-tuning": Plain(),
    "irene as published": Irene(),
    "irene, conditional": Irene(weight=2.0, conditional=True),
    "irene, MLP head, 5 inner steps": Irene(weight=5.0, head="mlp", inner_steps=5, head_lr=0.05),
    "gradient reversal": GradientReversal(),
    "RUBi": Rubi(),
    "LearnedMixin": LearnedMixin(),
    "ReBias": ReBias(),
    "EnD": EnD(),
    "LfF": LfF(),
    "kernel head": Kernel(),
    "codebook (ours, for the task)": Codebook(),
    "codebook, 2 levels": Codebook(levels=2),
    "codebook, weight 5": Codebook(weight=5.0),
    "rich (ours, with --keep)": Rich(),
    "rich, weight 10": Rich(weight=10.0),
    AS_THEY_ARE: Rich(),
    **REWEIGHED,
}
ERASERS: dict[str, Callable[[erasers.Seen], erasers.Eraser]] = {
    "LEACE": erasers.leace,
    "INLP": erasers.inlp,
    "Obliviator, re-made": obliviator,
    "MANCE++, re-made": mance,
    "k-means code, untrained": erasers.kmeans_code,
}
NARROWER = ("Obliviator, re-made",)
"""Their features have another width than the model's."""
LABELS = "labels of what is kept, and of the task"
"""Not a method: what a release would give away that let all of them be read without error."""
ARMS = ("untouched", *METHODS, *ERASERS, LABELS)
MAIN = (
    "untouched",
    "plain fine-tuning",
    "codebook (ours, for the task)",
    "rich (ours, with --keep)",
    "irene as published",
    "irene, MLP head, 5 inner steps",
)
"""Arms whose seeds are run first."""


def run(case: Case, arm: str, seed: int) -> dict[str, Any]:
    """Remove by one arm and read what is left."""
    model, begin = copy.deepcopy(case.model), time.perf_counter()
    if arm == LABELS:
        names = (*case.kept, case.task)
        labels = np.stack([case.rows.codes(name) for name in names], axis=1).astype(np.float32)
        return read_features(case, labels, case.rows.codes(case.task), seed, 0.0)
    if arm in METHODS:
        recipe = case.paper if arm == "irene as published" else case.recipe
        recipe = replace(recipe, augment="none") if arm == AS_THEY_ARE else recipe
        recipe = replace(recipe, reweigh=arm in REWEIGHED)
        method = METHODS[arm]
        fine_tune(
            model,
            TrainingJob(
                case.train,
                task=case.task,
                private=[case.private],
                keep=case.kept if isinstance(method, Rich) else (),
                layer=case.layer,
                method=method,
                recipe=recipe,
            ),
        )
    if arm in ERASERS:
        return edited(case, arm, seed)
    seconds = time.perf_counter() - begin
    settings = Settings(seed=seed, null_refits=2, ceiling=False)
    result = audit(model, case.rows, task=case.task, private=case.private, layer=case.layer, settings=settings)
    z = np.asarray(extract(Encoder(model), case.rows, [case.layer]).z[case.layer])
    with torch.no_grad():
        said = torch.cat([model(batch).argmax(dim=1) for batch in inputs(case.rows)]).numpy()
    return figures(case, result, z, said, seconds)


def edited(case: Case, arm: str, seed: int) -> dict[str, Any]:
    """Let a peer edit the features of the plainly fine-tuned model, and read what is left.

    The task is read by the model's own head or by a new one, whichever does better on the audited rows: that favours
    the peer. Where the width changes, only a new one can.
    """
    (model, before), begin = case.plain, time.perf_counter()
    seen = [np.asarray(extract(Encoder(model), data, [case.layer]).z[case.layer]) for data in (case.train, case.rows)]
    y, v = case.train.codes(case.task), case.train.codes(case.private)
    erase = ERASERS[arm](erasers.Seen(seen[0], v, y))
    fit, z = erase(seen[0]), erase(seen[1])
    seconds = before + time.perf_counter() - begin
    answers = [make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(fit, y).predict(z)]
    if arm not in NARROWER:
        with torch.no_grad():
            head = model.get_submodule(parse(case.layer).module)
            answers.append(head(torch.from_numpy(z.astype(np.float32))).argmax(dim=1).numpy())
    truth = case.rows.codes(case.task)
    said = max(answers, key=lambda answer: float((answer == truth).mean()))
    return read_features(case, z, said, seed, seconds)


def read_features(case: Case, z: NDArray[np.float32], said: Ints, seed: int, seconds: float) -> dict[str, Any]:
    """Read what is left in features (n, d) of the audited rows, beside the task as it is answered from them, (n,)."""
    answered = Column(said.astype(np.int64), case.rows.column(case.task, "task").classes)
    rows = replace(case.rows, columns={**case.rows.columns, "predicted": answered})
    settings = Settings(seed=seed, null_refits=2, ceiling=False)
    result = audit_embeddings(
        {case.layer: z}, rows, private=case.private, task=case.task, predicted="predicted", settings=settings
    )
    return figures(case, result, z, said, seconds)


def inputs(data: LabelledData) -> Iterator[Tensor]:
    """Yield the inputs in batches."""
    for start in range(0, len(data), 256):
        yield torch.stack([data.inputs[row] for row in range(start, min(start + 256, len(data)))])


def figures(case: Case, result: AuditResult, z: NDArray[np.float32], said: Ints, seconds: float) -> dict[str, Any]:
    """Return what the table is made of."""
    (found,) = result.private
    measured, certificate = found.measurement, found.certificate
    return {
        "task": float((said == case.rows.codes(case.task)).mean()),
        "strongest": measured.score.value,
        "floor": measured.floor_score.value,
        "excess_bits": measured.figures["bits"].value - measured.floor["bits"].value,
        "certified": None if certificate is None else certificate.balanced_accuracy,
        "certified_bits": None if certificate is None else certificate.bits,
        "verdict": found.decided.verdict,
        "kept": kept_auroc(case, z),
        "seconds": seconds,
        "n": [len(case.train), len(case.rows)],
    }


def kept_auroc(case: Case, z: NDArray[np.float32]) -> float | None:
    """Return the mean AUROC of linear probes for what should stay, each row by a probe that did not see its person."""
    if not case.kept:
        return None
    areas = []
    for name in case.kept:
        v = case.rows.codes(name)
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=300))
        scores = cross_val_predict(probe, z, v, groups=case.rows.groups(), cv=GroupKFold(3), method="decision_function")
        areas.append(roc_auc_score(v, scores))
    return float(np.mean(areas))


def jobs(sets: list[str], arms: list[str], seeds: int) -> Iterator[tuple[str, str, int]]:
    """List what is to be run, the main arms first."""
    for first in (True, False):
        for seed in range(seeds):
            for name in sets:
                for arm in arms:
                    if (arm in MAIN) == first and fits(arm, name):
                        yield name, arm, seed


def named(text: str, known: Collection[str], option: str) -> list[str]:
    """Return the names in an option, which has `;` for a comma in a name.

    Raises:
        click.BadParameter: One of them is not known.
    """
    names = [one.replace(";", ",") for one in text.split(",")]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is none of: {'; '.join(known)}.", param_hint=option)
    return names


def fits(arm: str, name: str) -> bool:
    """Return whether an arm means anything on a set: attributes are named to be kept on the faces alone."""
    if arm == LABELS:
        return name.startswith("CelebA")
    return "rich" not in arm or name.startswith(("CelebA", "Adult"))


@click.command()
@click.option("--data-root", type=click.Path(path_type=Path), default=Path("data"), show_default=True)
@click.option("--sets", default=",".join(name.replace(",", ";") for name in SETS), help="`;` for a comma in a name.")
@click.option("--arms", default=",".join(arm.replace(",", ";") for arm in ARMS), help="`;` for a comma in a name.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--kept", type=click.Path(path_type=Path), default=Path("out/removal"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("out/removal.jsonl"), show_default=True)
def main(data_root: Path, sets: str, arms: str, seeds: int, kept: Path, out: Path) -> None:
    """Run what is not in the file yet, and print the tables."""
    out.parent.mkdir(parents=True, exist_ok=True)
    done = read(out)
    chosen, wanted = named(sets, SETS, "--sets"), named(arms, ARMS, "--arms")
    case: tuple[tuple[str, int], Case] | None = None
    for name, arm, seed in jobs(chosen, wanted, seeds):
        if any((one["set"], one["arm"], one["seed"]) == (name, arm, seed) for one in read(out)):
            continue
        if case is None or case[0] != (name, seed):
            case = (name, seed), SETS[name](data_root, kept, seed)
        today = datetime.datetime.now(datetime.UTC).date().isoformat()
        one = {"set": name, "arm": arm, "seed": seed, "date": today, "versions": versions()} | run(case[1], arm, seed)
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one) + "\n")
        click.echo(json.dumps(one), err=True)
    done = read(out)
    click.echo(when(done) + "\n")
    for name in SETS:
        if any(one["set"] == name for one in done):
            click.echo(table(done, name, ARMS) + "\n")
    click.echo(rich(done, list(SETS)))


def read(path: Path) -> list[dict[str, Any]]:
    """Return the runs that are there."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    main()
