import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from support.training import Rows, net, rows
from torch import Tensor, nn
from torch.nn import functional

from audit.data.labelled import LabelledData
from audit.errors import DataError, TrainingError
from audit.model.maps.affine_and_code import Code
from sanitizer.information import mutual_information
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods.base import Setting
from sanitizer.methods.codebook import Codebook
from sanitizer.methods.irene import Irene, IreneObjective
from sanitizer.methods.kernel import Kernel
from sanitizer.training import loop
from sanitizer.training.loop import fine_tune
from sanitizer.training.model_selection import HeldOutMetrics
from sanitizer.training.rows import hold_out

SGD = Recipe(epochs=1, batch_size=85, optimizer="sgd", lr=0.05, weight_decay=0, alpha=0.5)


def test_one_iteration_routes_every_gradient_as_in_the_paper() -> None:
    """85 of 100 rows are one batch: F sees alpha·CE + gamma·MI, G sees alpha·CE, all before the step."""
    model, data = net(), rows()
    twin = copy.deepcopy(model)
    heads: list[nn.Module] = []

    class Seen(Irene):
        def start(self, setting: Setting) -> IreneObjective:
            objective = super().start(setting)
            heads.append(copy.deepcopy(objective.heads[0]))  # as it was before the first step
            heads.append(objective.heads[0])
            return objective

    fine_tune(model, TrainingJob(data, task="y", private=["v"], method=Seen(weight=2.0), layer="fc:input", recipe=SGD))

    fit, _ = hold_out(data, SGD.seed)
    x = torch.stack([fit.inputs[i] for i in range(len(fit))])
    y, v = (torch.from_numpy(fit.column(name, "labelled").codes) for name in ("y", "v"))
    z = twin.encoder(x)
    task = 0.5 * functional.cross_entropy(twin.fc(z), y)
    leak = 2.0 * mutual_information(heads[0](z).softmax(dim=1), v)
    encoder = torch.autograd.grad(task + leak, list(twin.encoder.parameters()), retain_graph=True)
    classifier = torch.autograd.grad(task, list(twin.fc.parameters()))
    head = torch.autograd.grad(functional.cross_entropy(heads[0](z.detach()), v), list(heads[0].parameters()))
    for before, after, gradient, lr in [
        *zip(twin.encoder.parameters(), model.encoder.parameters(), encoder, [0.05] * 2, strict=True),
        *zip(twin.fc.parameters(), model.fc.parameters(), classifier, [0.05] * 2, strict=True),
        *zip(heads[0].parameters(), heads[1].parameters(), head, [0.1] * 2, strict=True),
    ]:
        assert torch.allclose(after, before - lr * gradient, atol=1e-6)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    runs = []
    for _ in range(2):
        model = net()
        torch.manual_seed(123)
        fine_tune(
            model,
            TrainingJob(
                rows(), task="y", private=["v"], method=Irene(), layer="fc:input", recipe=Recipe(2, 30, "adam")
            ),
        )
        runs.append((model, torch.rand(1)))
    assert all(torch.equal(a, b) for a, b in zip(runs[0][0].parameters(), runs[1][0].parameters(), strict=True))
    torch.manual_seed(123)
    assert torch.equal(runs[0][1], torch.rand(1))


def test_the_seed_decides_the_order_of_the_rows() -> None:
    class Watched(Rows):
        def __init__(self, x: Tensor) -> None:
            super().__init__(x)
            self.seen: list[int] = []

        def __getitem__(self, row: int, /) -> Tensor:
            self.seen.append(row)
            return super().__getitem__(row)

    def order(seed: int) -> list[int]:
        data = rows()
        inputs = Watched(data.inputs.x)  # type: ignore[attr-defined]
        watched = LabelledData("toy", inputs, data.columns)
        fine_tune(net(), TrainingJob(watched, task="y", layer="fc:input", recipe=Recipe(1, 85, seed=seed)))
        return [int(place) for place in np.argsort(np.argsort(inputs.seen[3:88]))]  # places among the 85

    assert order(0) == order(0)
    assert order(0) != order(1)


def test_modes_and_hooks_are_as_found_afterwards() -> None:
    model = net().eval()
    model.fc.train()
    fine_tune(model, TrainingJob(rows(), task="y", private=["v"], method=Kernel(), layer="fc:input", recipe=SGD))
    assert [module.training for module in (model, model.encoder, model.fc)] == [False, False, True]
    coded = net().eval()
    fine_tune(coded, TrainingJob(rows(), task="y", private=["v"], method=Codebook(), layer="fc:input", recipe=SGD))
    assert not any(module.training for module in coded.modules())  # what was put there is in the model's mode
    assert not model.fc._forward_pre_hooks


def test_frozen_parameters_stay_frozen() -> None:
    model = net()
    frozen = next(model.encoder.parameters()).requires_grad_(False)
    before = frozen.clone()
    fine_tune(model, TrainingJob(rows(), task="y", private=["v"], method=Kernel(), layer="fc:input", recipe=SGD))
    assert torch.equal(frozen, before)


def test_a_model_that_is_frozen_whole_is_refused_and_a_release_of_it_is_the_way_out() -> None:
    job = TrainingJob(rows(), task="y", private=["v"], method=Codebook(), layer="fc:input", recipe=SGD)
    whole = replace(SGD, freeze=tuple(name for name, _ in net().named_children()))
    with pytest.raises(TrainingError, match=r"^Nothing is left to train: .* takes --epochs 0 and --method codebook, "):
        fine_tune(net(), replace(job, recipe=whole))
    model = net()
    fine_tune(model, replace(job, recipe=replace(whole, epochs=0)))
    assert isinstance(model.get_submodule("irene.map"), Code)


def test_a_diverging_run_stops_and_names_the_term() -> None:
    recipe = Recipe(epochs=30, batch_size=30, optimizer="sgd", lr=1e20)
    with pytest.raises(
        TrainingError, match=r"the task's loss is nan|the removal term of 'v' is nan|the scores became NaN"
    ):
        fine_tune(net(), TrainingJob(rows(), task="y", private=["v"], method=Irene(), layer="fc:input", recipe=recipe))


def test_the_epoch_that_is_kept_keeps_its_own_head(monkeypatch: pytest.MonkeyPatch) -> None:
    """A head of a later epoch would be judged on an encoder that it never saw."""
    started: list[IreneObjective] = []
    heads: list[list[Tensor]] = []

    class Seen(Irene):
        def start(self, setting: Setting) -> IreneObjective:
            started.append(super().start(setting))
            return started[0]

    def watching(epochs: Iterable[int], _length: int, _label: str) -> Iterator[int]:
        for epoch in epochs:
            yield epoch
            heads.append([parameter.detach().clone() for parameter in started[0].heads.parameters()])

    scores = iter((0.5, 0.9, 0.5))
    monkeypatch.setattr(loop, "check", lambda *_, **__: HeldOutMetrics(next(scores), {}, {"": 1000}))
    recipe = Recipe(3, 40, "sgd", lr=0.05)
    outcome = fine_tune(
        net(),
        TrainingJob(rows(), task="y", private=["v"], layer="fc:input", method=Seen(), recipe=recipe),
        track=watching,
    )
    assert outcome.chosen == 1
    last = list(started[0].heads.parameters())
    assert all(torch.equal(one, other) for one, other in zip(heads[1], last, strict=True))
    assert not all(torch.equal(one, other) for one, other in zip(heads[2], last, strict=True))


@pytest.mark.parametrize(
    ("tasks", "patience", "chosen", "epochs"),
    [
        ((0.9, 0.895, 0.892, 0.905), 0, 3, 4),  # all alike, by 1,000 rows: the last
        ((0.9, 0.893, 0.886, 0.879), 0, 1, 4),  # each is as good as the one before, and the third is not as the first
        ((0.9, 0.895, 0.892, 0.905), 2, 2, 3),  # as good is no reason to go on
        ((0.8, 0.9, 0.85, 0.86), 0, 1, 4),
    ],
)
def test_of_epochs_that_are_as_good_the_last_is_kept(
    monkeypatch: pytest.MonkeyPatch, tasks: tuple[float, ...], patience: int, chosen: int, epochs: int
) -> None:
    scores = iter(tasks)
    monkeypatch.setattr(loop, "check", lambda *_, **__: HeldOutMetrics(next(scores), {}, {"": 1000}))
    recipe = Recipe(4, 40, "sgd", lr=0.05, patience=patience)
    outcome = fine_tune(
        net(), TrainingJob(rows(), task="y", private=["v"], layer="fc:input", method=Irene(), recipe=recipe)
    )
    assert (outcome.chosen, len(outcome.trace)) == (chosen, epochs)


def test_too_few_rows_for_one_batch_are_refused() -> None:
    with pytest.raises(DataError, match=r"85 training rows do not fill one batch of 86.*in Python, batch_size"):
        fine_tune(net(), TrainingJob(rows(), task="y", layer="fc:input", recipe=Recipe(1, 86)))


def test_the_head_is_judged_on_groups_it_never_saw() -> None:
    data = rows(200)
    grouped = LabelledData("toy", data.inputs, data.columns, np.repeat(np.arange(20), 10), "person")
    outcome = fine_tune(
        net(), TrainingJob(grouped, task="y", private=["v"], method=Irene(), layer="fc:input", recipe=Recipe(1, 60))
    )
    assert outcome.head_rows == 30  # 3 of 20 people
    assert outcome.head_accuracy["v"] is not None


@pytest.mark.gpu
def test_it_trains_on_the_gpu_where_there_is_one() -> None:
    model = net().to("cuda")
    on = torch.device("cuda")
    outcome = fine_tune(
        model, TrainingJob(rows(), task="y", private=["v"], method=Irene(), layer="fc:input", recipe=SGD, device=on)
    )
    assert outcome.head_accuracy["v"] is not None
    assert all(parameter.is_cuda for parameter in model.parameters())
