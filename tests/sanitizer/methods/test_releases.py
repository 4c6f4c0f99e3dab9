"""The two releases: a code for the task alone, and a narrow map for other tasks too."""

import copy
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.errors import TrainingError
from audit.model.layers import tap
from audit.model.maps.affine_and_code import Affine
from audit.model.maps.residual_map import ResidualMap
from audit.model.release import install
from sanitizer.information import by_class, mutual_information
from sanitizer.job import Recipe, TrainingJob
from sanitizer.methods import nonlinear_map
from sanitizer.methods.base import Method, Rows, Setting
from sanitizer.methods.codebook import Codebook, classifier, fit_code, running_information
from sanitizer.methods.nonlinear_map import NonlinearMap
from sanitizer.methods.pairs import Pairs, fit_pairs
from sanitizer.methods.plain import Plain
from sanitizer.methods.rich import Rich, RichObjective
from sanitizer.training.loop import fine_tune

N = 1200


def toy(seed: int) -> LabelledData:
    """Draw rows of 8 numbers: the task in the first, v in the sign of a product, what is to be kept in the fourth."""
    x = torch.randn(N, 8, generator=torch.Generator().manual_seed(seed))
    told = {"y": x[:, 0] > 0, "v": x[:, 1] * x[:, 2] > 0, "kept": x[:, 3] > 0}
    columns = {name: Column(value.long().numpy(), ("no", "yes")) for name, value in told.items()}
    return LabelledData("toy", x, columns)


def stacked(data: LabelledData) -> Tensor:
    return torch.stack([data.inputs[row] for row in range(len(data))])


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 2))


def seen(model: nn.Module, data: LabelledData) -> Rows:
    model.eval()
    with torch.no_grad(), tap(model, ["4:input"]) as taps:
        scores = model(stacked(data))
        z = taps.take()["4:input"]
    v = {name: torch.from_numpy(data.codes(name)) for name in data.columns}
    return Rows(before=z, z=z, scores=scores, y=v["y"], v=v)


def readable(model: nn.Module, name: str) -> float:
    """Return what a fresh non-linear attacker reads of an attribute on new rows."""
    fit, test = seen(model, toy(1)), seen(model, toy(2))
    lens = fit.z.mean(dim=0), fit.z.std(dim=0) + 1e-6
    attacker = SVC(C=10).fit((fit.z - lens[0]) / lens[1], fit.v[name])
    return float(balanced_accuracy_score(test.v[name], attacker.predict((test.z - lens[0]) / lens[1])))


def accuracy(model: nn.Module) -> float:
    rows = seen(model, toy(2))
    return float((rows.scores.argmax(dim=1) == rows.y).float().mean())


def leaky() -> nn.Sequential:
    """Train a network whose bottleneck carries all three."""
    model, data = net(), toy(0)
    heads = nn.ModuleList(nn.Linear(16, 2) for _ in data.columns)
    optimizer = torch.optim.Adam([*model.parameters(), *heads.parameters()], lr=0.01)
    x = stacked(data)
    for _ in range(300):
        z = model[:4](x)
        told = [head(z) for head in heads]
        losses = [
            functional.cross_entropy(one, torch.from_numpy(data.codes(n)))
            for n, one in zip(data.columns, told, strict=True)
        ]
        losses.append(functional.cross_entropy(model[4](z), torch.from_numpy(data.codes("y"))))
        optimizer.zero_grad()
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return model


@pytest.fixture(scope="module")
def before() -> nn.Module:
    torch.manual_seed(0)
    return leaky()


def released(before: nn.Module, method: Method, keep: tuple[str, ...] = (), epochs: int = 15) -> nn.Module:
    model, recipe = copy.deepcopy(before), Recipe(epochs, 200, lr=3e-3)
    fine_tune(
        model, TrainingJob(toy(0), task="y", private=["v"], keep=keep, layer="4:input", method=method, recipe=recipe)
    )
    return model


def test_a_code_leaves_the_task_and_nothing_of_v(before: nn.Module) -> None:
    assert readable(before, "v") > 0.85
    plain, coded = released(before, Plain(), epochs=3), released(before, Codebook(), epochs=3)
    assert readable(plain, "v") > 0.75
    assert readable(coded, "v") < 0.54
    assert accuracy(coded) > accuracy(plain) - 0.01
    assert readable(coded, "kept") < 0.54  # it is a release for the task alone
    assert len(np.unique(seen(coded, toy(2)).z.numpy(), axis=0)) == 2


def test_a_rich_release_leaves_what_is_kept_and_little_of_v(before: nn.Module) -> None:
    rich = released(before, Rich(weight=10.0, rank=4, memory=200), keep=("kept",), epochs=20)
    assert accuracy(rich) > 0.95
    assert readable(rich, "kept") > 0.9
    assert readable(rich, "v") < 0.65
    assert isinstance(rich.get_submodule("irene.map"), Affine)
    assert torch.linalg.matrix_rank(rich.get_submodule("irene.map").weight) <= 4


def test_paired_codes_leave_what_is_kept_and_nothing_of_v(before: nn.Module) -> None:
    said = released(before, Pairs(words=32), keep=("kept",), epochs=3)
    assert readable(said, "v") < 0.57
    assert readable(said, "kept") > 0.85
    assert accuracy(said) > accuracy(released(before, Plain(), epochs=3)) - 0.02
    words = np.unique(seen(said, toy(2)).z.numpy(), axis=0)
    assert 8 < len(words) <= 32


def test_a_map_that_is_not_linear_leaves_the_task_and_what_is_kept_and_little_of_v(
    before: nn.Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nonlinear_map, "STEPS", 250)
    mapped = released(before, NonlinearMap(rank=4), keep=("kept",), epochs=0)
    assert readable(mapped, "v") < 0.56
    assert readable(mapped, "kept") > 0.85
    assert accuracy(mapped) > accuracy(before) - 0.025
    for name, tensor in before.state_dict().items():
        assert torch.equal(tensor, mapped.state_dict()[name]), name
    assert isinstance(mapped.get_submodule("irene.map"), ResidualMap)


def test_the_solved_head_removes_what_no_line_tells() -> None:
    """The bottleneck holds one number whose sign is to be kept and whose size is v: only training takes them apart."""
    torch.manual_seed(0)
    model, data, head = net(), toy(0), nn.Linear(16, 1)
    x, v, kept, y = stacked(data), *(torch.from_numpy(data.codes(name)) for name in ("v", "kept", "y"))
    optimizer = torch.optim.Adam([*model.parameters(), *head.parameters()], lr=0.01)
    for _ in range(400):
        z = model[:4](x)
        folded = functional.mse_loss(head(z).squeeze(1), (2 * kept - 1) * (1.0 + 3 * v))
        optimizer.zero_grad()
        (folded + functional.cross_entropy(model[4](z), y)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    left = {
        weight: released(model, Rich(weight=weight, rank=4, memory=200), keep=("kept",), epochs=20)
        for weight in (0.0, 10.0)
    }
    assert readable(left[0.0], "v") > 0.75
    assert readable(left[10.0], "v") < 0.65
    assert readable(left[10.0], "kept") > 0.9 and accuracy(left[10.0]) > 0.95


def planted() -> Rows:
    """Draw features: the task, what is kept with v in its size, v in a line, and larger numbers that tell nothing."""
    generator = torch.Generator().manual_seed(0)
    y, kept, v = (torch.randint(2, (N,), generator=generator) for _ in range(3))
    z = torch.randn(N, 6, generator=generator) * torch.tensor([0.3, 0.1, 0.3, 5.0, 5.0, 5.0])
    z[:, 0] += 2 * y
    z[:, 1] += (2 * kept - 1) * (1 + v)
    z[:, 2] += 2 * v
    z[:, 3] += 10 * y * v  # in one class of the task alone
    return Rows(z, z, torch.zeros(N, 2), y, {"y": y, "v": v, "kept": kept})


def begun(rows: Rows, keep: Mapping[str, int], rank: int = 4) -> RichObjective:
    setting = Setting(
        classes={"v": 2},
        task_classes=2,
        x=rows.z[:1],
        look=lambda: rows,
        batches=lambda: iter(()),
        keep=keep,
        train_rows=N,
        width=rows.z.shape[1],
    )
    return Rich(rank=rank).start(setting)


def area(feature: Tensor, v: Tensor) -> float:
    return float(roc_auc_score(v.numpy(), feature.numpy()))


def test_a_rich_release_begins_with_what_stays_and_without_what_tells_v_in_a_line() -> None:
    rows = planted()
    release = begun(rows, {"kept": 2}).release
    with torch.no_grad():
        c = release.project(rows.z)
        said = release.heads[0](c)
    assert c.shape == (N, 2)  # one direction for the task, one for what is kept
    assert torch.allclose(torch.cov(c.T), torch.eye(2), atol=0.01)
    for own in (rows.y == 0, rows.y == 1):
        apart = c[own & (rows.v["v"] == 1)].mean(dim=0) - c[own & (rows.v["v"] == 0)].mean(dim=0)
        assert apart.abs().max() < 0.01
    assert (said.argmax(dim=1) == rows.v["kept"]).float().mean() > 0.95  # its head need not be learned
    assert area(c.square().sum(dim=1), rows.v["v"]) > 0.7  # what is no line is for the training to remove


def test_where_nothing_is_named_a_rich_release_begins_with_the_largest_directions_without_vs() -> None:
    rows = planted()
    with torch.no_grad():
        c = begun(rows, {}).release.project(rows.z)
    assert c.shape == (N, 4)
    assert all(0.4 < area(c[:, direction], rows.v["v"]) < 0.6 for direction in range(4))


def test_the_words_say_what_the_model_says(before: nn.Module) -> None:
    fit, new = seen(before, toy(0)), seen(before, toy(2))
    for levels in (1, 2, 4):
        coded = copy.deepcopy(before)
        install(coded, "4:input", fit_code(fit, levels))
        after = seen(coded, toy(2))
        assert torch.equal(after.scores.argmax(dim=1), new.scores.argmax(dim=1))
        assert len(np.unique(after.z.numpy(), axis=0)) == 2 * levels
        margins = after.scores[:, 1] - after.scores[:, 0]
        true = new.scores[:, 1] - new.scores[:, 0]
        order = torch.argsort(true)
        assert (margins[order].diff() >= -1e-4).all()  # who is surer is at no lower a level


def test_what_is_not_linear_behind_the_bottleneck_is_followed_nearly(before: nn.Module) -> None:
    model = copy.deepcopy(before)
    with torch.no_grad(), tap(model, ["2:input"]) as taps:
        scores = model(stacked(toy(0)))
        z = taps.take()["2:input"]
    y = torch.from_numpy(toy(0).codes("y"))
    install(model, "2:input", fit_code(Rows(z, z, scores, y, {}), 2))
    with torch.no_grad():
        same = model(stacked(toy(0))).argmax(dim=1) == scores.argmax(dim=1)
    assert same.float().mean() > 0.93


def of_scores(scores: Tensor) -> Rows:
    """Return rows of normal numbers with such scores; the first number is what these are made of."""
    return Rows(normal(), normal(), scores, torch.zeros(N, dtype=torch.int64), {"v": torch.arange(N) % 2})


def normal() -> Tensor:
    return torch.randn(N, 3, generator=torch.Generator().manual_seed(0))


def test_scores_are_not_linear_because_their_classes_lie_far_apart() -> None:
    step = torch.sigmoid(8 * (normal()[:, 0] - 1)) - 0.5
    rows = of_scores(torch.stack([step, -step, torch.zeros(N)], dim=1) + torch.tensor([20.0, 20.0, -20.0]))
    predicted = rows.scores.argmax(dim=1).numpy()
    assert 0.1 < predicted.mean() < 0.9
    assert (classifier(rows).own == predicted).mean() > 0.98


def test_one_answer_that_is_not_linear_is_refused_in_one_line_and_a_constant_one_is_linear() -> None:
    x = normal()[:, 0] * normal()[:, 1]
    one_answer = of_scores(torch.stack([x.abs() + 5, -x.abs()], dim=1))
    v = [one_answer.v["v"].numpy()]
    with pytest.raises(TrainingError, match=f"answers one class of the task for all of {N} rows"):
        fit_code(one_answer, 1)
    with pytest.raises(TrainingError, match="answers one class"):
        fit_pairs(one_answer, v, [], Pairs(words=4), has_task=True)
    with pytest.raises(TrainingError, match="answers one class"):
        nonlinear_map.fit_map(one_answer, {"v": 2}, [], NonlinearMap(rank=1), has_task=True)
    assert not classifier(of_scores(torch.tensor([[0.3, 0.1]]).expand(N, 2))).own.any()


def test_a_class_that_is_never_predicted_has_no_row() -> None:
    rows = seen(net(), toy(0))
    scores = torch.cat([rows.scores, torch.full((N, 1), -50.0)], dim=1)
    code = fit_code(replace(rows, scores=scores), 2)
    assert torch.equal(code(rows.z), code(rows.z))
    own = functional.linear(rows.z, code.weight, code.bias).argmax(dim=1)
    assert set(own.tolist()) <= {0, 1}


@pytest.mark.parametrize("few", [1, 9])
def test_no_word_is_a_row_where_few_are_given_a_class_and_the_word_has_that_class(few: int) -> None:
    generator = torch.Generator().manual_seed(few)
    head = nn.Linear(6, 4)
    z = torch.randn(N, 6, generator=generator)
    with torch.no_grad():
        head.weight.copy_(torch.randn(4, 6, generator=generator) / 3)
        head.bias.copy_(torch.zeros(4))
        gap = (scores := head(z))[:, 3] - scores[:, :3].max(dim=1).values
        head.bias[3] -= gap.topk(few + 1).values[-2:].mean()  # only so many rows are given the last class
        scores = head(z)
    assert int((scores.argmax(dim=1) == 3).sum()) == few
    v = scores.argmax(dim=1) % 2
    rows = Rows(z, z, scores, scores.argmax(dim=1), {"v": v})
    coded, paired = fit_code(rows, 2), fit_pairs(rows, [v.numpy()], [], Pairs(words=40), has_task=True)
    for words in (coded.words, paired.words):
        away = torch.cdist(words.double(), z.double()).min()
        assert away > 0.01
    assert torch.cdist(paired.centres, functional.linear(z, paired.axes, paired.shift)).min() > 1e-3
    for code in (coded, paired):
        assert torch.equal(head(code(z)).argmax(dim=1), scores.argmax(dim=1))


def batch() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    said = torch.randn(300, 4, generator=generator).softmax(dim=1).requires_grad_()
    y, v = (torch.randint(k, (300,), generator=generator) for k in (3, 2))
    return said, y, v


def test_a_table_of_one_batch_tells_its_conditional_information_and_its_gradient() -> None:
    said, y, v = batch()
    information = running_information(torch.full((3, 2, 4), 1e-9), said, y, v)
    exact = by_class(mutual_information, said, v, y) * 2  # a share of log 2, not of log 4
    assert torch.allclose(information, exact, atol=1e-5)
    one, other = (torch.autograd.grad(term, said)[0] for term in (information, exact))
    along = one - one.mean(dim=1, keepdim=True), other - other.mean(dim=1, keepdim=True)  # shares sum to 1
    assert torch.allclose(*along, atol=1e-6)


def test_a_running_table_forgets_by_its_share_and_is_less_noisy_than_a_batch() -> None:
    generator = torch.Generator().manual_seed(1)
    table, values = torch.full((1, 2, 10), 1e-6), []
    for _ in range(200):
        said = functional.one_hot(torch.randint(10, (60,), generator=generator), 10).float()
        v = torch.randint(2, (60,), generator=generator)
        values.append(float(running_information(table, said, torch.zeros(60, dtype=torch.int64), v)))
    alone = float(mutual_information(said, v))
    assert np.mean(values[100:]) < 0.3 * alone  # nothing is told, and one batch says much is
