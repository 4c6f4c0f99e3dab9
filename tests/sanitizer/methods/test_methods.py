"""The removal methods of others: each has the property that its paper defines it by, and runs in the loop."""

import copy
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional

from audit.data.columns import Column
from audit.data.labelled import LabelledData
from audit.errors import DataError, TrainingError
from audit.model import release
from audit.model.maps.affine_and_code import Affine
from audit.plugins import resolve
from sanitizer.job import Recipe, TrainingJob
from sanitizer.method_table import METHODS
from sanitizer.methods.base import Batch, Method, Objective, Rows, Setting
from sanitizer.methods.debiasing.bias_branch import Biased
from sanitizer.methods.debiasing.end import EnD, disentangling, entangling
from sanitizer.methods.debiasing.learned_mixin import LearnedMixin, LearnedMixinObjective
from sanitizer.methods.debiasing.lff import LfF, LfFObjective, generalised_cross_entropy
from sanitizer.methods.debiasing.rebias import ReBias, ReBiasObjective, hsic
from sanitizer.methods.debiasing.rubi import Rubi, RubiObjective
from sanitizer.methods.gradient_reversal import GradientReversal, GradientReversalObjective, strength
from sanitizer.methods.heads import entropy, one_hot
from sanitizer.methods.leace import Leace
from sanitizer.training.loop import fine_tune

N, WIDTH = 24, 6
CLASSES = {"v": 2, "w": 3}
ALL: dict[str, Method] = {
    "end": EnD(),
    "gradient-reversal": GradientReversal(),
    "leace": Leace(),
    "learned-mixin": LearnedMixin(pretraining=1),
    "lff": LfF(),
    "rebias": ReBias(),
    "rubi": Rubi(),
}
BESIDE = [name for name in ALL if name not in ("end", "leace")]
"""Those that train something beside the model."""


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(n: int = N, *, images: bool = False, seed: int = 0, **given: Any) -> Batch:
    """Draw a batch whose features and scores are leaves with gradients; `given` replaces parts of it."""
    random = rng(seed)
    x = torch.randn(n, 3, 4, 4, generator=random) if images else torch.randn(n, 5, generator=random)
    z = torch.randn(n, WIDTH, generator=random).requires_grad_()
    drawn: dict[str, Any] = {
        "before": z,
        "z": z,
        "scores": torch.randn(n, 2, generator=random).requires_grad_(),
        "y": torch.randint(2, (n,), generator=random),
        "v": {name: torch.randint(k, (n,), generator=random) for name, k in CLASSES.items()},
        "rows": torch.arange(n),
        "x": lambda: x,
        "progress": 0.5,
    }
    return Batch(**drawn | given)


def setting(
    *, images: bool = False, rows: int = N, classes: Mapping[str, int] = CLASSES, width: int = WIDTH
) -> Setting:
    def look() -> Rows:
        raise AssertionError("no method here looks at the model before it starts")

    x = torch.zeros(1, 3, 4, 4) if images else torch.zeros(1, 5)
    drawn = batch(rows, images=images).cut_off()
    return Setting(
        classes=classes,
        task_classes=2,
        x=x,
        look=look,
        batches=lambda: iter([drawn]),
        keep={},
        train_rows=rows,
        width=width,
    )


def started(method: Method, *, seed: int = 0, **given: Any) -> Any:
    torch.manual_seed(seed)
    return method.start(setting(**given))


def gradient(term: Tensor | None, of: Tensor) -> Tensor:
    assert term is not None
    (found,) = torch.autograd.grad(term, of, retain_graph=True)
    return found


def number(term: Tensor | None) -> float:
    assert term is not None
    return float(term.detach())


def parts(module: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in module.parameters()]


def same(some: list[Tensor], others: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def all_changed(some: list[Tensor], others: list[Tensor]) -> bool:
    return not any(torch.equal(one, other) for one, other in zip(some, others, strict=True))


# Every method


@pytest.mark.parametrize("name", ALL)
def test_its_name_on_the_command_line_means_it(name: str) -> None:
    assert resolve(name, "method", METHODS) is type(ALL[name])


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_a_run_that_was_stopped_goes_on_to_the_same_parameters(name: str, images: bool) -> None:
    def step(objective: Objective, at: int) -> list[Tensor]:
        now = batch(images=images, seed=at, progress=at / 2)
        terms = objective.terms(now)
        objective.learn(now.cut_off())
        other = [] if terms.other is None else [terms.other]
        return [gradient(sum([terms.task, *terms.removal.values(), *other], torch.zeros(())), now.scores)]

    through = started(ALL[name], images=images)
    step(through, 0)
    kept = copy.deepcopy(through.state_dict())
    expected = step(through, 1)
    again = started(ALL[name], images=images, seed=1)
    again.load_state_dict(kept)
    assert same(step(again, 1), expected)
    assert same([*again.parameters(), *again.buffers()], [*through.parameters(), *through.buffers()])
    if name in BESIDE:
        moments = [
            [part for state in one.optimizer.state_dict()["state"].values() for part in state.values()]
            for one in (again, through)
        ]
        assert moments[0]
        assert same(*moments)


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("name", BESIDE)
def test_what_the_model_minimises_never_reaches_what_is_trained_beside_it(name: str, images: bool) -> None:
    objective, now = started(ALL[name], images=images), batch(images=images)
    terms = objective.terms(now)
    sum([*terms.removal.values(), *([] if terms.other is None else [terms.other])], terms.task).backward()
    assert now.scores.grad is not None
    assert all(parameter.grad is None for parameter in objective.parameters())


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("name", BESIDE)
def test_everything_that_is_trained_beside_the_model_moves(name: str, images: bool) -> None:
    objective = started(ALL[name], images=images)
    trained = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    before = [parameter.detach().clone() for parameter in trained]
    for at in range(3):
        objective.learn(batch(images=images, seed=at).cut_off())
    assert all_changed(before, [parameter.detach() for parameter in trained])


class Items:
    def __init__(self, x: Tensor) -> None:
        self.x = x

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, row: int, /) -> Tensor:
        return self.x[row]


def toy(*, images: bool, n: int = 80) -> LabelledData:
    """y is in the first number, or the brightness of a corner; v in the second, or the colour of the rest."""
    y, v = (torch.randint(2, (n,), generator=rng(seed)) for seed in (1, 2))
    if images:
        x = 0.1 * torch.randn(n, 3, 6, 6, generator=rng())
        x[:, 0] += v[:, None, None]
        x[:, :, :2, :2] += y[:, None, None, None]
    else:
        x = torch.randn(n, 5, generator=rng())
        x[:, 0] += 2 * y
        x[:, 1] += 2 * v
    columns = {name: Column(codes.numpy(), ("no", "yes")) for name, codes in (("y", y), ("v", v))}
    return LabelledData("toy", Items(x), columns)


class ToyNet(nn.Module):
    def __init__(self, *, images: bool) -> None:
        super().__init__()
        table = nn.Sequential(nn.Linear(5, WIDTH), nn.Tanh())
        looks = nn.Sequential(nn.Conv2d(3, WIDTH, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.encoder = looks if images else table
        self.fc = nn.Linear(WIDTH, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores: Tensor = self.fc(self.encoder(x))
        return scores


def toy_net(*, images: bool) -> ToyNet:
    torch.manual_seed(0)
    return ToyNet(images=images)


def tuned(method: Method, *, images: bool, epochs: int = 1) -> ToyNet:
    model, data = toy_net(images=images), toy(images=images)
    recipe = Recipe(epochs=epochs, batch_size=16)
    fine_tune(model, TrainingJob(data, task="y", private=["v"], method=method, layer="fc:input", recipe=recipe))
    return model


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("name", ALL)
def test_it_trains_a_model_on_images_and_on_a_table(name: str, images: bool) -> None:
    model = tuned(ALL[name], images=images)
    trained = parts(model)
    assert all(torch.isfinite(part).all() for part in trained)
    assert all_changed(parts(toy_net(images=images)), trained)
    assert (release.NAME in dict(model.named_children())) == (name == "leace")


# Gradient reversal


def test_the_encoder_gets_the_heads_gradient_times_minus_lambda() -> None:
    objective, now = started(GradientReversal()), batch(progress=0.2)
    removal = objective.terms(now).removal
    for name in CLASSES:
        towards = gradient(functional.cross_entropy(objective.says(now.z, name), now.v[name]), now.z)
        assert torch.allclose(gradient(removal[name], now.z), -math.tanh(5 * 0.2) * towards, atol=1e-7)


def test_the_schedule_rises_from_nothing_to_nearly_all() -> None:
    steps = [strength(share) for share in (0.0, 0.1, 0.5, 0.999)]
    assert steps[0] == 0
    assert steps == sorted(steps)
    assert steps[1] == pytest.approx(0.46212, abs=1e-5)
    assert steps[-1] > 0.9999
    now = batch(progress=0.0)
    assert not gradient(started(GradientReversal()).terms(now).removal["v"], now.z).any()


def test_the_entropy_term_makes_the_heads_less_certain() -> None:
    objective, now = started(GradientReversal(entropy=0.5)), batch()
    down = -gradient(objective.terms(now).other, now.z)
    up = torch.stack([gradient(entropy(objective.says(now.z, name)), now.z) for name in CLASSES]).sum(dim=0)
    assert torch.allclose(down, 0.5 * up, atol=1e-7)
    assert down.abs().max() > 0


def test_entropy_is_the_mean_of_each_rows_own() -> None:
    p = torch.tensor([[0.5, 0.5], [0.9, 0.1]])
    expected = -(p * p.log()).sum(dim=1).mean()
    assert torch.allclose(entropy(p.log() + 3), expected)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_the_head_of_each_attribute_learns_to_read_it(head: Any) -> None:
    objective: GradientReversalObjective = started(GradientReversal(head=head))
    now = batch().cut_off()
    now = replace(now, v={"v": (now.z[:, 0] > 0).long(), "w": (now.z[:, 1] > 0).long() + (now.z[:, 2] > 1)})

    def losses() -> list[float]:
        return [number(functional.cross_entropy(objective.says(now.z, name), now.v[name])) for name in CLASSES]

    before = losses()
    for _ in range(40):
        objective.learn(now)
    assert all(after < 0.6 * loss for after, loss in zip(losses(), before, strict=True))


# EnD


def test_disentangling_is_nothing_for_orthogonal_rows_and_one_for_parallel_or_opposite_ones() -> None:
    v = torch.tensor([0, 0, 1, 1])
    x, y = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 3.0])
    assert disentangling(torch.stack([x, y, x, y]), v) == 0
    assert disentangling(torch.stack([x, 2 * x, y, y]), v) == 1
    assert disentangling(torch.stack([x, -x, y, -y]), v) == 1


def test_entangling_is_minus_one_where_one_class_points_one_way_whatever_its_bias() -> None:
    y, v = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 0, 1])
    z = torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 5.0]])
    assert entangling(z, v, y) == -1
    z[1], z[3] = -z[1], -z[3]
    assert entangling(z, v, y) == 1


def test_the_terms_of_end_are_means_over_their_pairs() -> None:
    now = batch(8)
    z, v, y = now.z.detach(), now.v["w"], now.y
    apart, together = [], []
    for i, j in itertools.combinations(range(8), 2):
        cosine = float(functional.cosine_similarity(z[i], z[j], dim=0))
        if v[i] == v[j]:
            apart.append(abs(cosine))
        elif y[i] == y[j]:
            together.append(-cosine)
    assert float(disentangling(z, v)) == pytest.approx(np.mean(apart), abs=1e-6)
    assert float(entangling(z, v, y)) == pytest.approx(np.mean(together), abs=1e-6)
    told = started(EnD(entangle=0.3)).terms(now).removal["w"]
    assert number(told) == pytest.approx(np.mean(apart) + 0.3 * np.mean(together), abs=1e-6)


def test_without_pairs_or_with_a_row_of_zeros_end_stays_finite() -> None:
    z = torch.zeros(2, 3, requires_grad=True)
    for v in (torch.tensor([0, 1]), torch.tensor([0, 0])):
        term = disentangling(z, v) + entangling(z, v, torch.tensor([0, 1]))
        assert term == 0
        assert torch.isfinite(gradient(term, z)).all()


# The biased branch


def test_the_biased_branch_sees_the_colours_of_an_image_and_not_where_they_are() -> None:
    torch.manual_seed(0)
    branch = Biased(setting(images=True)).eval()
    x = torch.randn(4, 3, 5, 5, generator=rng())
    shuffled = x.flatten(2)[:, :, torch.randperm(25, generator=rng())].reshape(x.shape)
    features = branch.features(batch(4, images=True, x=lambda: x))
    assert features.shape == (4, 128)
    assert torch.allclose(branch.features(batch(4, images=True, x=lambda: shuffled)), features, atol=1e-5)
    assert not torch.allclose(branch.features(batch(4, images=True, x=lambda: x.flip(1))), features, atol=1e-3)


def test_of_a_large_image_the_biased_branch_looks_at_a_coarse_grid_of_single_pixels() -> None:
    torch.manual_seed(0)
    branch = Biased(setting(images=True)).eval()
    x = torch.randn(4, 3, 40, 33, generator=rng()).requires_grad_()
    branch.features(batch(4, images=True, x=lambda: x)).sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    looked_at = x.grad.abs().sum(dim=(0, 1)) > 0  # (40, 33)
    assert looked_at[::3, ::3].all()
    assert looked_at.sum() == 14 * 11


def test_for_a_table_the_biased_branch_reads_the_private_labels_alone() -> None:
    torch.manual_seed(0)
    branch, now = Biased(setting()), batch()
    features = branch.features(now)
    assert torch.equal(branch.features(replace(now, x=batch(seed=1).x, y=1 - now.y)), features)
    for name in CLASSES:
        other = replace(now, v={**now.v, name: 1 - now.v[name].clamp_max(1)})
        assert not torch.equal(branch.features(other), features)


def test_labels_of_several_attributes_stand_side_by_side() -> None:
    v = {"v": torch.tensor([1, 0]), "w": torch.tensor([2, 0]), "task": torch.tensor([5, 5])}
    assert one_hot(v, CLASSES).tolist() == [[0, 1, 0, 0, 1], [1, 0, 1, 0, 0]]


def test_a_table_without_a_private_attribute_has_no_bias_to_read() -> None:
    with pytest.raises(DataError, match="Name a private attribute"):
        started(Rubi(), classes={})


def biased_rows(n: int = 40) -> Batch:
    """Three of four rows have y = v, the others the opposite; scores are the same for both classes."""
    v = torch.arange(n) % 2
    y = torch.where(torch.arange(n) % 8 < 6, v, 1 - v)
    return batch(n, y=y, v={"v": v, "w": torch.zeros(n, dtype=torch.int64)}, scores=torch.ones(n, 2).requires_grad_())


# RUBi


def learnt(objective: Objective, now: Batch, steps: int) -> None:
    for _ in range(steps):
        objective.learn(now.cut_off())


def test_rows_that_the_bias_solves_move_a_model_under_rubi_less() -> None:
    objective: RubiObjective = started(Rubi(biased_lr=1e-2), rows=40)
    now = biased_rows()
    plain = gradient(functional.cross_entropy(now.scores, now.y), now.scores).norm(dim=1)
    learnt(objective, now, 60)
    norms = gradient(objective.terms(now).task, now.scores).norm(dim=1)
    solved = now.y == now.v["v"]
    assert norms[solved].max() < 0.7 * norms[~solved].min()
    assert torch.allclose(plain[solved].max(), plain[~solved].min())  # without the mask they move it alike


def test_rubi_masks_the_scores_by_the_sigmoid_of_the_mask_head() -> None:
    objective, now = started(Rubi()), batch()
    q = objective.mask(objective.biased.features(now))
    expected = functional.cross_entropy(now.scores / (1 + torch.exp(-q)), now.y)
    assert torch.allclose(objective.terms(now).task, expected)


def test_the_mask_learns_from_the_model_and_the_biased_network_does_not() -> None:
    runs: list[RubiObjective] = []
    for seed in (1, 2):
        objective: RubiObjective = started(Rubi())
        objective.learn(batch(scores=4 * torch.randn(N, 2, generator=rng(seed))))
        runs.append(objective)
    assert same(parts(runs[0].biased), parts(runs[1].biased))
    assert same(parts(runs[0].classifier), parts(runs[1].classifier))
    assert not same(parts(runs[0].mask), parts(runs[1].mask))


def test_the_mask_learns_from_its_classifier_too() -> None:
    objective: RubiObjective = started(Rubi())
    before = parts(objective.mask)
    objective.learn(batch(scores=torch.zeros(N, 2)))  # nothing to mask
    assert all_changed(before, parts(objective.mask))


def test_the_biased_networks_of_rubi_learn_the_task_from_the_bias() -> None:
    objective: RubiObjective = started(Rubi(biased_lr=1e-2), rows=40)
    now = biased_rows()
    learnt(objective, now, 60)
    for scores in (objective.biased(now), objective.classifier(objective.mask(objective.biased.features(now)))):
        assert torch.equal(scores.argmax(dim=1), now.v["v"])


# LearnedMixin


def test_the_biased_network_is_trained_before_the_first_step() -> None:
    untrained: LearnedMixinObjective = started(LearnedMixin(pretraining=0))
    trained: LearnedMixinObjective = started(LearnedMixin(pretraining=2))
    assert all_changed(parts(untrained.biased), parts(trained.biased))


@pytest.mark.parametrize("images", [True, False])
def test_then_the_trust_is_trained_and_the_biased_network_is_fixed(images: bool) -> None:
    objective: LearnedMixinObjective = started(LearnedMixin(pretraining=1), images=images)
    fixed = [part.clone() for part in objective.biased.state_dict().values()]
    trust = parts(objective.trust)
    for at in range(2):
        now = batch(images=images, seed=at)
        objective.terms(now)
        objective.learn(now.cut_off())
    assert same(fixed, list(objective.biased.state_dict().values()))
    assert all_changed(trust, parts(objective.trust))


def test_the_loss_is_that_of_the_ensemble_and_the_entropy_of_the_scaled_bias() -> None:
    objective, now = started(LearnedMixin(weight=0.7, pretraining=0)), batch()
    terms = objective.terms(now)
    trust = torch.log1p(torch.exp(objective.trust(now.z)))
    scaled = trust * objective.biased(now).softmax(dim=1).log()
    ensemble = (now.scores.softmax(dim=1).log() + scaled).softmax(dim=1)
    assert torch.allclose(terms.task, -ensemble[torch.arange(N), now.y].log().mean())
    p = scaled.softmax(dim=1)
    assert terms.other is not None
    assert torch.allclose(terms.other, -0.7 * (p * p.log()).sum(dim=1).mean())
    assert not terms.removal


def test_a_bias_that_knows_nothing_leaves_the_plain_cross_entropy() -> None:
    objective, now = started(LearnedMixin(weight=1.0, pretraining=0)), batch()
    for parameter in objective.biased.classifier.parameters():
        nn.init.zeros_(parameter)
    terms = objective.terms(now)
    plain = functional.cross_entropy(now.scores, now.y)
    assert torch.allclose(terms.task, plain)
    assert torch.allclose(gradient(terms.task, now.scores), gradient(plain, now.scores), atol=1e-7)
    assert number(terms.other) == pytest.approx(math.log(2))


def test_the_entropy_makes_the_ensemble_trust_the_bias_more() -> None:
    def trust(weight: float) -> float:
        objective: LearnedMixinObjective = started(LearnedMixin(weight=weight, pretraining=0, biased_lr=0.05))
        now = batch()
        learnt(objective, now, 20)
        return number(functional.softplus(objective.trust(now.z)).mean())

    assert trust(10.0) > 1.5 * trust(0.0)


def test_the_ensemble_relieves_the_model_of_what_the_bias_knows() -> None:
    now = biased_rows()
    torch.manual_seed(0)
    given = replace(setting(rows=40), batches=lambda: iter([now.cut_off()]))
    objective = LearnedMixin(pretraining=60, biased_lr=1e-2).start(given)
    norms = gradient(objective.terms(now).task, now.scores).norm(dim=1)
    solved = now.y == now.v["v"]
    assert norms[solved].max() < 0.8 * norms[~solved].min()


# ReBias


def by_four_rows(k: Tensor, m: Tensor) -> float:
    """Return the U-statistic itself: the mean over all ordered choices of four different rows."""
    told = [
        float(k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])) for i, j, q, r in itertools.permutations(range(len(k)), 4)
    ]
    return float(np.mean(told))


def rbf(z: Tensor, sigma: float) -> Tensor:
    return torch.exp(-(z.unsqueeze(0) - z.unsqueeze(1)).square().sum(dim=2) / (2 * sigma**2))


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_hsic_is_the_mean_over_all_choices_of_four_rows(sigma: float) -> None:
    a = torch.randn(7, 2, generator=rng(0))
    b = a[:, :1] + torch.randn(7, 3, generator=rng(1))
    assert float(hsic(a, b, sigma=sigma)) == pytest.approx(by_four_rows(rbf(a, sigma), rbf(b, sigma)), abs=1e-6)


def test_hsic_is_nothing_on_average_for_independent_features_and_positive_for_dependent_ones() -> None:
    def told(dependent: float) -> tuple[float, float]:
        values = []
        for seed in range(200):
            a, noise = torch.randn(12, 2, generator=rng(seed)), torch.randn(12, 2, generator=rng(1000 + seed))
            values.append(float(hsic(a, dependent * a + noise, sigma=1.0)))
        return float(np.mean(values)), float(np.std(values) / math.sqrt(len(values)))

    mean, error = told(0.0)
    assert abs(mean) < 3 * error
    assert error < 0.001  # the biased estimator would be .02 here
    mean, error = told(2.0)
    assert mean > 10 * error


def test_the_model_flees_the_biased_network_and_that_seeks_the_model() -> None:
    objective: ReBiasObjective = started(ReBias(weight=50.0), rows=40)
    now = biased_rows()
    z = torch.nn.functional.one_hot(now.v["v"], WIDTH) + 0.1 * torch.randn(40, WIDTH, generator=rng())
    now = replace(now, z=z.requires_grad_())
    nn.init.normal_(next(objective.biased.body.parameters()), std=0.02)  # nearly all alike, with much to gain

    def dependence(z: Tensor) -> Tensor:
        return hsic(z, objective.biased.features(now).detach(), sigma=1.0)

    start = number(dependence(now.z))
    terms = objective.terms(now)
    assert not terms.removal
    assert terms.other is not None
    assert number(terms.other) == pytest.approx(50 * start)
    assert torch.allclose(gradient(terms.other, now.z), 50 * gradient(dependence(now.z), now.z))
    assert number(dependence(now.z - 0.5 * gradient(terms.other, now.z))) < start
    learnt(objective, now, 20)
    assert number(dependence(now.z)) > 2 * start


def test_the_biased_network_of_rebias_learns_the_task() -> None:
    objective: ReBiasObjective = started(ReBias(weight=0.1, biased_lr=1e-2), rows=40)
    now = biased_rows()
    learnt(objective, now, 60)
    assert torch.equal(objective.biased(now).argmax(dim=1), now.v["v"])


def test_three_rows_are_too_few_for_hsic() -> None:
    with pytest.raises(TrainingError, match="at least 4 rows, not 3"):
        hsic(torch.zeros(3, 1), torch.zeros(3, 1), sigma=1.0)


# Learning from Failure


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_the_gradient_of_the_generalised_cross_entropy_is_that_of_the_cross_entropy_times_p_to_the_q(q: float) -> None:
    now = batch()
    loss = generalised_cross_entropy(now.scores, now.y, q=q)
    p = now.scores.softmax(dim=1)[torch.arange(N), now.y].detach()
    assert torch.allclose(loss, ((1 - p**q) / q).mean())
    plain = gradient(functional.cross_entropy(now.scores, now.y), now.scores)
    assert torch.allclose(gradient(loss, now.scores), p.unsqueeze(1) ** q * plain, atol=1e-7)


def test_a_hopeless_row_does_not_break_the_generalised_cross_entropy() -> None:
    scores = torch.tensor([[300.0, -300.0]], requires_grad=True)
    assert not gradient(generalised_cross_entropy(scores, torch.tensor([1]), q=0.7), scores).any()


def test_rows_are_weighted_by_moving_averages_over_the_largest_of_their_class() -> None:
    """Two batches of 6 and 4 of 8 rows, two of them in both; the biased network stands still."""
    objective: LfFObjective = started(LfF(biased_lr=0.0), rows=8)
    average: dict[int, tuple[float, float]] = {}
    label: dict[int, int] = {}
    for seed, rows in enumerate(([0, 1, 2, 3, 4, 5], [7, 5, 6, 0])):
        now = batch(len(rows), seed=seed, rows=torch.tensor(rows))
        biased = functional.cross_entropy(objective.biased(now), now.y, reduction="none")
        model = functional.cross_entropy(now.scores, now.y, reduction="none")
        for place, row in enumerate(rows):
            one = number(biased[place]), number(model[place])
            old = average.get(row, one)
            average[row] = 0.7 * old[0] + 0.3 * one[0], 0.7 * old[1] + 0.3 * one[1]
            label[row] = int(now.y[place])
        weights = []
        for row in rows:
            peers = [average[other] for other in average if label[other] == label[row]]
            b, m = (average[row][of] / max(peer[of] for peer in peers) for of in (0, 1))
            weights.append(b / (b + m))
        expected = (torch.tensor(weights) * model).mean()
        assert torch.allclose(objective.terms(now).task, expected)
        assert torch.allclose(objective.terms(now).task, expected)  # asking changes nothing
        share = gradient(objective.terms(now).task, now.scores)
        plain = gradient(model.mean(), now.scores)
        assert torch.allclose(share, torch.tensor(weights).unsqueeze(1) * plain, atol=1e-6)
        objective.learn(now.cut_off())


def test_rows_that_are_easy_for_the_biased_network_count_for_little() -> None:
    objective: LfFObjective = started(LfF(biased_lr=1e-2), rows=40)
    now = biased_rows()
    learnt(objective, now, 60)
    norms = gradient(objective.terms(now).task, now.scores).norm(dim=1)
    solved = now.y == now.v["v"]
    assert norms[solved].max() < 0.7 * norms[~solved].min()


def test_at_weight_nothing_learning_from_failure_is_the_plain_task() -> None:
    now = batch()
    assert torch.allclose(started(LfF(weight=0.0)).terms(now).task, functional.cross_entropy(now.scores, now.y))


# LEACE


def erased(z: Tensor, v: Mapping[str, Tensor]) -> Tensor:
    classes = {name: int(labels.max()) + 1 for name, labels in v.items()}
    rows = Rows(before=z, z=torch.full_like(z, torch.nan), scores=z[:, :2], y=v["v"], v=v)
    objective = Leace().start(setting(classes=classes, width=z.shape[1]))
    map_ = objective.finished(lambda: rows)
    assert isinstance(map_, Affine)
    assert map_.weight.dtype == torch.float32
    mapped: Tensor = map_(z)
    return mapped


def explained(z: Tensor, labels: Tensor) -> float:
    """Return R² of the one-hot labels by linear regression on features, but for directions of rounding noise."""
    a = z.double() - z.double().mean(dim=0)
    t = functional.one_hot(labels).double()
    t = t - t.mean(dim=0)
    u, s, _ = torch.linalg.svd(a, full_matrices=False)
    u = u[:, s > 1e-5 * s[0]]
    return float((u.T @ t).square().sum() / t.square().sum())


Make = Callable[[Tensor], Tensor]


@pytest.mark.parametrize("make", [lambda z: z, torch.relu, lambda z: z @ z[:5] + 30], ids=["plain", "relu", "skewed"])
def test_after_leace_a_linear_regression_explains_nothing_of_any_attribute(make: Make) -> None:
    raw = torch.randn(500, 5, generator=rng())
    z = make(raw)
    v = {"v": (raw[:, 0] + 0.3 * raw[:, 1] > 0).long(), "w": (raw[:, 2] > 0).long() + (raw[:, 3] > 0.5)}
    after = erased(z, v)
    for labels in v.values():
        assert explained(z, labels) > 0.2
        assert explained(after, labels) < 1e-6
    assert torch.allclose(after.mean(dim=0), z.mean(dim=0), atol=1e-3)
    assert explained(after, (raw[:, 4] > 0).long()) > 0.1  # what is not v stays


def test_what_leace_removes_it_removes_though_v_was_hardly_there() -> None:
    z = torch.randn(20_000, 3, generator=rng())
    v = (z[:, 0] + 300 * torch.randn(20_000, generator=rng(1)) > 0).long()
    assert explained(z, v) > 1e-6
    assert explained(erased(z, {"v": v}), v) < 1e-9


def test_after_leace_a_curve_still_reads_what_no_line_reads_any_more() -> None:
    """v is the exclusive or of two features, and a third one tells it too."""
    z = torch.randn(1200, 4, generator=rng())
    v = ((z[:, 0] > 0) ^ (z[:, 1] > 0)).long()
    z[:, 2] += 2 * v
    after = erased(z, {"v": v})
    assert explained(z, v) > 0.4
    assert explained(after, v) < 1e-6
    assert SVC(C=10).fit(after[:600], v[:600]).score(after[600:], v[600:]) > 0.85


def test_without_a_private_attribute_leace_puts_nothing_in() -> None:
    def look() -> Rows:
        raise AssertionError("there is nothing to look for")

    assert Leace().start(setting(classes={})).finished(look) is None
