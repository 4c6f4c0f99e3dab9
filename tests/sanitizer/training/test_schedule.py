"""How the learning rate falls, which epoch is kept, and that a run which stopped goes on as it would have."""

import math
from pathlib import Path

import pytest
import torch
from support.training import net, rows

from audit.errors import TrainingError
from sanitizer.job import Recipe, ScheduleName, TrainingJob
from sanitizer.methods.irene import Irene
from sanitizer.training import loop
from sanitizer.training.loop import Outcome, fine_tune
from sanitizer.training.model_selection import HeldOutMetrics
from sanitizer.training.resume import ResumeFile
from sanitizer.training.schedule import WAIT, Schedule


def rates(name: ScheduleName, losses: list[float], *, epochs: int = 8, steps: int = 5) -> list[float]:
    """Return the rate in each epoch, until training ends."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    schedule = Schedule(optimizer, Recipe(epochs, lr=0.1, schedule=name), steps)
    found = []
    for loss in losses:
        found.append(optimizer.param_groups[0]["lr"])
        for _ in range(steps):
            optimizer.step()
            schedule.step()
        schedule.epoch_ended(loss)
        if schedule.is_over:
            break
    return found


def test_steps_fall_to_a_tenth_at_half_and_at_three_quarters_as_the_papers_milestones_do() -> None:
    assert rates("steps", [1.0] * 8) == pytest.approx([0.1] * 4 + [0.01] * 2 + [0.001] * 2)
    found = rates("steps", [1.0] * 80, epochs=80)
    assert [epoch for epoch in range(1, 80) if found[epoch] < found[epoch - 1]] == [40, 60]


def test_a_cosine_ends_at_nothing_whatever_the_loss() -> None:
    found = rates("cosine", [1.0] * 8)
    assert found == pytest.approx([0.05 * (1 + math.cos(math.pi * epoch / 8)) for epoch in range(8)])


def test_on_a_plateau_the_rate_falls_after_ten_epochs_and_training_ends_below_a_hundredth() -> None:
    found = rates("plateau", [1.0] * 99)
    assert len(found) == 1 + 3 * WAIT  # the first is the best; ten at each of .1, .01 and .001, not one at .0001
    assert found == pytest.approx([0.1] * 11 + [0.01] * 10 + [0.001] * 10)


def test_a_loss_that_falls_is_no_plateau() -> None:
    assert rates("plateau", [0.9**epoch for epoch in range(60)]) == pytest.approx([0.1] * 60)


def trained(recipe: Recipe, *, resume: ResumeFile | None = None) -> tuple[Outcome, dict[str, torch.Tensor]]:
    """Train a net with IRENE."""
    torch.manual_seed(0)
    model = net()
    job = TrainingJob(rows(), task="y", private=["v"], method=Irene(), layer="fc:input", recipe=recipe)
    outcome = fine_tune(model, job, resume_file=resume)
    return outcome, model.state_dict()


def test_the_last_epoch_is_kept_and_none_audited_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, _ = trained(Recipe(4, 40, "sgd", lr=0.05, choose="last"))
    assert outcome.chosen == 3
    assert all(not epoch.fresh and epoch.task_accuracy is not None for epoch in outcome.trace)
    scores = iter((0.9, 0.1, 0.1, 0.1))
    monkeypatch.setattr(loop, "check", lambda *_, **__: HeldOutMetrics(next(scores), {}, {"": 1000}))
    assert trained(Recipe(4, 40, "sgd", lr=0.05, choose="last"))[0].chosen == 3
    scores = iter((0.9, 0.1, 0.1, 0.1))
    assert trained(Recipe(4, 40, "sgd", lr=0.05))[0].chosen == 0


def test_patience_compares_epochs_and_the_last_does_not() -> None:
    with pytest.raises(TrainingError, match=r"--patience counts .* --choose last compares none. Leave one of them out"):
        trained(Recipe(4, 40, patience=2, choose="last"))


def test_a_plateau_ends_training_and_what_ended_is_not_trained_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sanitizer.training.schedule.WAIT", 2)
    recipe = Recipe(30, 40, "sgd", lr=1e-9, schedule="plateau", choose="last")
    state = tmp_path / "state"
    outcome, weights = trained(recipe, resume=ResumeFile(state, "one", resume=False))
    assert len(outcome.trace) == 7
    again, same = trained(recipe, resume=ResumeFile(state, "one", resume=True))
    assert len(again.trace) == 7
    assert all(torch.equal(weights[name], same[name]) for name in weights)
