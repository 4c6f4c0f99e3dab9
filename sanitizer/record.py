"""What a run is asked for, and what it says that it did: settings, notes and figures, for its record."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from audit.atomic_write import sha256
from audit.data.loading import UNREADABLE
from audit.environment import versions
from audit.evidence.audit_result import QuantityTask, Sanitizing, Sidecar
from audit.evidence.json_file import Options, as_json
from audit.evidence.verdict import LIMIT
from audit.model import release
from audit.model.maps.affine_and_code import Code
from audit.model.maps.paired_code import PairedCode
from audit.model.maps.residual_map import ResidualMap
from audit.parallel.ranks import process_count
from sanitizer.job import TrainingJob
from sanitizer.method_table import card_of
from sanitizer.methods.codebook import FEWEST
from sanitizer.methods.leace import Leace
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs
from sanitizer.methods.width import FEW_EACH, balanced_rows, dimensions, shares
from sanitizer.training.loop import Outcome
from sanitizer.training.rows import held_from_training


def request(name: str, parent: str, job: TrainingJob) -> str:
    """Return what a run is asked for, as text: another request does not go on from its state."""
    asked = [name, job.layer, job.pool, parent, job.data.labels_sha256(job.named), _settings(job)]
    asked += [str(one) for one in (job.padding, job.scores, job.output) if one is not None]
    return json.dumps(asked, default=str)


def record(
    name: str,
    parent: str,
    model: nn.Module,
    job: TrainingJob,
    outcome: Outcome,
    *,
    notes: Sequence[str] | None = None,
) -> Sanitizing:
    """Return what a run says that it did, to a file of the SHA-256 `parent`; notes are those of a checkpoint."""
    installed = dict(model.named_modules()).get(f"{release.NAME}.map")
    return Sanitizing(
        method=name,
        card=card_of(job.method),
        settings=_settings(job),
        layer=job.layer,
        parent_sha256=parent,
        trace=outcome.trace,
        chosen=outcome.chosen,
        notes=[
            *(_notes(job.layer, installed) if notes is None else notes),
            *(job.taught.notes if job.taught else ()),
            *_linear(job),
            *_width(job, installed),
            *_words(job, installed),
            *_apart(job, model),
            *_unread(job),
        ],
        release=None if installed is None else "code" if isinstance(installed, Code | PairedCode) else "map",
        head_accuracy=outcome.head_accuracy,
        head_rows=outcome.head_rows,
        data_fingerprint=job.data.labels_sha256(job.named),
        versions=versions(),
    )


def _linear(job: TrainingJob) -> list[str]:
    """Say what the method does not do that keeps most where there is no task."""
    if job.task is not None or not isinstance(job.method, Leace):
        return []
    return [
        "Only what a linear attacker reads was projected out, so that vectors stay as alike as they were: other "
        "attackers may read as much as before, which an audit tells; --method map removes more, and keeps less"
    ]


def _width(job: TrainingJob, installed: nn.Module | None) -> list[str]:
    """Say how many dimensions pass, and how many the rows can clean: what a map leaves is a question of rows."""
    if not isinstance(installed, ResidualMap):
        return []
    groups = len(np.unique(job.data.groups()))
    of = f" of {groups} groups ({job.data.group_name})" if FEW_EACH * groups < len(job.data) else ""
    rows, count = _rows_to_clean_by(job), f"{len(job.data)} rows{of}"
    full = installed.up.shape[0]
    limit = job.method.limit if isinstance(job.method, NonlinearMap) else LIMIT
    few, more = (min(full, dimensions(rows, one)) for one in (0.02, limit))
    count += f" and {len(job.taught.data)} that a teacher labelled" if job.taught else ""
    width = installed.up.shape[1]
    return [
        f"The encoder was not trained; {width} dimension{' passes' if width == 1 else 's pass'}. {count} allow "
        f"about {few} within 2 points above the floor and {more} within {100 * limit:g}, if what tells the attribute "
        "is linear; what is not takes more rows, so audit the result"
    ]


def _words(job: TrainingJob, installed: nn.Module | None) -> list[str]:
    """Say whose rows the words of a code are means of, where there are few people, or fewer words than were asked."""
    if not isinstance(installed, Code | PairedCode):
        return []
    of = "rows" if job.data.group is None else f"groups ({job.data.group_name})"
    fitted = [held_from_training(job)[0] if job.recipe.epochs else job.data, *([job.taught.data] if job.taught else [])]
    people = sum(len(np.unique(rows.groups())) for rows in fitted)
    if people < FEWEST:
        return [
            f"There are {people} {of} alone, so each predicted class has one word, the mean of all of them: it may "
            "tell of one"
        ]
    if isinstance(job.method, Pairs) and len(installed.words) < job.method.words:
        return [
            f"{len(installed.words)} words pass, of {job.method.words} at most: each is a mean over {FEWEST} {of} or "
            "more, and each private class says it about as often"
        ]
    return []


def _rows_to_clean_by(job: TrainingJob) -> float:
    """Return how many rows of two classes of equal size would tell the private attributes as well as all rows do."""
    found = []
    for name in job.private:
        codes = job.data.codes(name)
        worth = shares(codes, job.data.groups())
        if job.taught:
            taught = job.taught.data
            more = shares(taught.codes(name), taught.groups()) * job.taught.worth[name]
            codes, worth = np.concatenate([codes, taught.codes(name)]), np.concatenate([worth, more])
        found.append(balanced_rows(codes, worth))
    return min(found)


def record_of(done: Sanitizing, staging: Path) -> bytes:
    """Return the record of a file that was staged."""
    return as_json(Sidecar(sha256=sha256(staging), sanitizing=done))


def _settings(job: TrainingJob) -> Options:
    """Return everything that was chosen, flat."""
    chosen: dict[str, Any] = asdict(job.recipe) | {"freeze": ",".join(job.recipe.freeze)}
    chosen |= {"task": job.task, "private": ",".join(job.private), "keep": ",".join(job.keep)}
    chosen |= {"task_is": QuantityTask.told} if job.answer and job.answer.classes is None else {}
    chosen |= {"scores": job.scores} if job.scores == "ordinal" else {}
    chosen |= {"keep_identity": job.keep_identity} if job.keep_identity else {}
    chosen |= {"data": job.data.name, "data.rows": len(job.data)}
    chosen |= {f"data.{key}": value for key, value in job.data.options.items()}
    chosen |= job.taught.said if job.taught else {}
    return chosen | {f"method.{key}": value for key, value in asdict(job.method).items()}  # type: ignore[call-overload]


def _notes(layer: str, installed: nn.Module | None) -> list[str]:
    """Say what a release leaves as it was, and how it is loaded."""
    if installed is None:
        return []
    what = "code" if isinstance(installed, Code | PairedCode) else "map"
    return [
        f"What the encoder gives before the {what} at {layer} leaks as before: whoever gets the weights or the program "
        f"can leave the {what} out. Give away what comes behind it, not the encoder, where that matters",
        f"The weights stand under {release.ENCODER!r}, so that a plain architecture takes none of them (with "
        f"strict=False neither) and the {what} is not lost unseen: run the program, or load the file by "
        "irene.load_released(file, build)",
    ]


def _apart(job: TrainingJob, model: nn.Module) -> list[str]:
    """Say what several processes do not do as one would."""
    processes = process_count()
    if processes == 1 or not job.recipe.epochs or not any(isinstance(one, _BatchNorm) for one in model.modules()):
        return []
    return [f"Batch normalisation took the statistics of the share of each of {processes} processes, not of the batch"]


def _unread(job: TrainingJob) -> list[str]:
    """Say how many rows could not be read."""
    count = job.data.options.get(UNREADABLE)
    return [f"{count} rows of {job.data.name} could not be read and were left out"] if count else []
