"""A map to few dimensions that is not linear: a continuous release that keeps what is named, or how alike vectors are.

The encoder stays as it is. A linear map with a residual network beside it is fitted to its features, which narrows them
to r dimensions. It is trained against a kernel ridge regression of v, solved
in closed form at each step within each predicted class, and towards what is kept: a solved linear decoder of the
narrow features should give back the scores of the retained attributes and of the task, and the principal coordinates
of z; without a task, vectors should be as alike as they were, and people, if named, recognisable. Noise on its inputs
keeps the network from learning the training rows by heart. A linear map takes the r dimensions back to full width, so
that the layers behind it work on.

How many dimensions can be cleaned is a question of rows, and of people where each has many: an attacker reads about
.4 √(r / n) of balanced accuracy above the floor after the best linear erasure that n rows determine, and more of what
is not linear. So the width begins with what that law allows for a limit, and is halved while quick attackers read more
than half of it of rows held out, beyond the noise of so few.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from audit.bootstrap import Doubles
from audit.data.columns import Ints
from audit.errors import IreneError, is_share, require_number
from audit.evidence.method_card import MethodCard
from audit.evidence.verdict import LIMIT
from audit.model.maps.residual_map import PARTS, ResidualMap
from sanitizer.information import TINY, by_class, explained_share
from sanitizer.methods.base import OF_CLASSES, Objective, Rows, Setting
from sanitizer.methods.codebook import Classifier, classifier
from sanitizer.methods.low_rank import kept_coordinates, require_rank
from sanitizer.methods.width import balanced_rows, dimensions, left, shares
from sanitizer.similarity import contrastive, similarities

AXES = 128
"""Principal coordinates of z, at most."""
PER_STEP = 512
"""Rows of a step for each predicted class; the regression is O(n³) in them."""
STEPS = 400
HELD_OUT = 5000
"""Rows, at most, that say how wide a map may be; a quarter of all where they are fewer."""
TASK_WEIGHT = 10.0
"""Of the task's loss in nats, towards the model's own answers, beside the share of what is kept."""
RATE = 3e-3
"""Of Adam; falls to 0 along a cosine."""
READ_BACK = 1e-3
"""Regularisation of the linear decoder, as a share of the variance of the narrow features."""
DESCRIPTION = (
    "narrows the bottleneck by a linear map and a residual network to few dimensions, against an exactly solved head; "
    "what is named, or how alike vectors are, stays"
)
CARD = MethodCard(description=DESCRIPTION, mark="*", light="#8a4b00", dark="#f0b06a")


@dataclass(frozen=True)
class NonlinearMap:
    """Settings of the map."""

    tasks: ClassVar = OF_CLASSES
    weight: float = 30.0
    """Of the share of v's variance that the solved head explains, beside the share of what is kept that is lost."""
    rank: int | None = None
    """Dimensions that pass; None: as many as the rows allow for a leak of the limit, if it were linear (`dimensions`),
    halved while held-out rows leak more than half of that, beyond their noise."""
    limit: float = LIMIT
    """Balanced accuracy above the floor that the dimensions are chosen for, where `rank` does not say them."""
    hidden: int = 512
    """Units of the residual network."""
    noise: float = 0.3
    """Deviation of the noise on the network's inputs in training, whose mean variance is 1."""
    ridge: float = 3e-3
    """Regularisation of the solved head, as a share of its rows."""
    keep_weight: float = 16.0
    """Weight of the scores of what is kept beside the principal coordinates of z, in shares of their variance."""
    conditional: bool = True
    """Within each predicted class, which tells of v what it tells; else all of v."""

    def __post_init__(self) -> None:
        """Refuse what is no limit, or no number of dimensions."""
        if not is_share(self.limit) or not self.limit:
            raise IreneError(f"limit is {self.limit!r}. Give a share above 0 and up to 1, such as 0.05.")
        if self.rank is not None:
            require_number("rank", self.rank, 1)
            if self.limit != LIMIT:
                raise IreneError("rank says how many dimensions pass, so limit has no effect. Leave one of them out.")

    def start(self, setting: Setting) -> "NonlinearMapObjective":
        """Begin; there is nothing but the task."""
        require_rank(self.rank, setting.width)
        return NonlinearMapObjective(setting, self)


class NonlinearMapObjective(Objective):
    """The task alone, and the map at the end."""

    def __init__(self, setting: Setting, settings: NonlinearMap) -> None:
        super().__init__()
        self._private, self._keep, self._settings = setting.classes, setting.keep, settings
        self._has_task = setting.task_classes > 1

    def finished(self, rows: Callable[[], Rows]) -> ResidualMap | None:
        """Return the map of the training rows."""
        if not self._private:
            return None
        return fit_map(rows(), self._private, list(self._keep), self._settings, has_task=self._has_task)


def fit_map(
    rows: Rows, private: Mapping[str, int], keep: Sequence[str], settings: NonlinearMap, *, has_task: bool
) -> ResidualMap:
    """Return the map of training rows.

    Args:
        rows: With their features.
        private: Number of classes of each private attribute.
        keep: The retained attributes.
        settings: Its width, and what weighs how much.
        has_task: Whether the scores are of a task, within whose predicted classes the head is solved.
    """
    labels = {name: rows.v[name].cpu().numpy() for name in (*private, *keep)}
    told = [labels[name] for name in keep]
    told += [rows.scores.argmax(dim=1).cpu().numpy()] if has_task else []
    down, inside = _turned(rows.before, *kept_coordinates(rows.before, told, settings.keep_weight, AXES))
    groups = _groups(rows)
    worth = {name: shares(labels[name], groups) for name in private}
    worth = {name: one * rows.worth[name].double().cpu().numpy() if rows.worth else one for name, one in worth.items()}
    few = min(balanced_rows(labels[name], worth[name]) for name in private)
    on = rows.before.device
    head = _Head.of(classifier(rows), on) if has_task else None
    fit = _Fit(rows, private, settings, down.float().to(on), inside.float().to(on), head, told=bool(told))
    most = min(int(settings.rank or dimensions(few, settings.limit)), len(down))
    return fit.run(most if settings.rank else fit.width(most))


def _groups(rows: Rows) -> Ints:
    """Return whose each row is, (n,)."""
    of = rows.group if rows.person is None else rows.person
    if of is None:
        return np.arange(len(rows.before))
    found: Ints = of.cpu().numpy()
    return found


def _turned(z: Tensor, axes: Doubles, shift: Doubles) -> tuple[Tensor, Tensor]:
    """Return a map to the principal coordinates of coordinates, of a mean variance of 1: (m, d) and (m,)."""
    c = z.double().cpu().numpy() @ axes.T + shift
    _, lengths, turned = np.linalg.svd(c - c.mean(axis=0), full_matrices=False)
    turned = turned[lengths > 1e-4 * lengths[0]]
    unit = np.sqrt((lengths[: len(turned)] ** 2).mean() / len(c))
    return torch.from_numpy(turned @ axes / unit), torch.from_numpy(turned @ (shift - c.mean(axis=0)) / unit)


class _Narrow(nn.Module):
    """The map in training: it begins with the largest coordinates, and the network with nothing."""

    def __init__(self, m: int, rank: int, hidden: int) -> None:
        super().__init__()
        self.linear = nn.Parameter(torch.eye(rank, m))
        self.inner, self.outer = nn.Linear(m, hidden), nn.Linear(hidden, rank, bias=False)
        nn.init.zeros_(self.outer.weight)

    def forward(self, c: Tensor) -> Tensor:
        narrow: Tensor = functional.linear(c, self.linear) + self.outer(functional.silu(self.inner(c)))
        return narrow


@dataclass(frozen=True)
class _Head:
    """The layers behind the bottleneck, or what approximates them."""

    weight: Tensor
    """(k, d)."""
    bias: Tensor
    """(k,)."""
    own: Tensor
    """The class that they give each training row, (n,)."""

    @staticmethod
    def of(found: Classifier, device: torch.device) -> "_Head":
        weight, bias = (torch.as_tensor(part, device=device).float() for part in (found.weight, found.bias))
        return _Head(weight, bias, torch.as_tensor(found.own, device=device))

    def scores(self, z: Tensor) -> Tensor:
        """Return the scores of features (n, d), (n, k)."""
        return functional.linear(z, self.weight, self.bias)


@dataclass(frozen=True)
class _Fit:
    """One fit of the map to training rows."""

    rows: Rows
    private: Mapping[str, int]
    settings: NonlinearMap
    down: Tensor
    inside: Tensor
    head: _Head | None
    """Of the task, if there is one."""
    told: bool
    """Whether the coordinates are of something that is named, or of a task; without a task, how alike vectors are is
    kept too."""

    @property
    def strata(self) -> Tensor | None:
        """Classes within which the adversary is solved, (n,)."""
        return self.head.own if self.head and self.settings.conditional else None

    def run(self, rank: int) -> ResidualMap:
        """Train the map; the same rows give the same map, whatever was drawn before."""
        device = self.rows.before.device
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []), _one_thread():
            torch.manual_seed(0)
            return self._trained(rank)

    def width(self, most: int) -> int:
        """Return how many dimensions pass, at most so many: halved while held-out rows tell over half the limit."""
        generator, groups = np.random.default_rng(0), _groups(self.rows)
        order = generator.permutation(len(groups))
        if len(np.unique(groups)) < len(groups):  # those of one group stand side by side
            order = np.argsort(generator.permutation(int(groups.max()) + 1)[groups], kind="stable")
        held = self._held(order)
        fit = self.of(np.setdiff1d(order, held))
        count = min(float(shares(self.rows.v[name][held].cpu().numpy(), groups[held]).sum()) for name in self.private)
        noise = 0.5 / max(count, 1.0) ** 0.5  # of balanced accuracy near one half
        allowed = self.settings.limit / 2 + noise  # an audit's attackers read more
        while most > 1 and self._left(fit.run(most), held) > allowed:
            most //= 2
        return most

    def _held(self, order: Ints) -> Ints:
        """Return the rows that choose, of all rows in an order: a quarter, or those that a teacher knows nothing of."""
        if self.rows.chooses is None:
            return order[: min(HELD_OUT, max(1, len(order) // 4))]
        may: Ints = order[self.rows.chooses.cpu().numpy()[order]]
        return may[:HELD_OUT]

    def of(self, some: Ints) -> "_Fit":
        """Return the fit to some of the rows."""
        own = torch.as_tensor(some, device=self.rows.before.device)
        rows = replace(
            self.rows,
            before=self.rows.before[own],
            v={name: labels[own] for name, labels in self.rows.v.items()},
            person=_some(self.rows.person, own),
            group=_some(self.rows.group, own),
        )
        head = None if self.head is None else replace(self.head, own=self.head.own[own])
        return replace(self, rows=rows, head=head)

    def _left(self, fitted: ResidualMap, held: Ints) -> float:
        """Return how much more than the predicted class quick attackers read of rows held out, at most."""
        own = torch.as_tensor(held, device=self.rows.before.device)
        with torch.no_grad():
            z = fitted.narrow(self.rows.before[own].float()).double().cpu().numpy()
        told = (torch.zeros_like(own) if self.head is None else self.head.own[own]).cpu().numpy()
        groups = _groups(self.rows)[held]
        return max(left(z, told, self.rows.v[name][own].cpu().numpy(), groups) for name in self.private)

    def _trained(self, rank: int) -> ResidualMap:
        z = self.rows.before.float()
        c = functional.linear(z, self.down, self.inside)
        narrow = _Narrow(c.shape[1], rank, self.settings.hidden).to(z.device)
        optimizer = torch.optim.Adam(narrow.parameters(), RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            some = self._drawn()
            u = narrow(c[some] + self.settings.noise * torch.randn_like(c[some]))
            optimizer.zero_grad()
            loss = self._lost(u, c[some], z[some], some) + self.settings.weight * self._leak(u, some)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            up, outside = _decoder(narrow(c), z)
            parts = (
                self.down, self.inside, narrow.linear, narrow.inner.weight, narrow.inner.bias, narrow.outer.weight,
                up.T, outside,
            )  # fmt: skip
            return ResidualMap(**{name: part.detach().clone() for name, part in zip(PARTS, parts, strict=True)})

    def _drawn(self) -> Tensor:
        """Draw the rows of a step; all of a person, where people are to be recognised."""
        on, person = self.rows.before.device, self.rows.person
        count = PER_STEP * (1 if self.strata is None else len(torch.unique(self.strata)))
        if person is None:
            return torch.randperm(len(self.rows.before), device="cpu")[:count].to(on)
        order = torch.randperm(int(person.max()) + 1, device="cpu").to(on)
        return torch.argsort(order[person])[:count]

    def _leak(self, u: Tensor, some: Tensor) -> Tensor:
        strata = None if self.strata is None else self.strata[some]
        shares = [
            by_class(partial(explained_share, k=k, ridge=self.settings.ridge), u, self.rows.v[name][some], strata)
            for name, k in self.private.items()
        ]
        return torch.stack(shares).sum()

    def _lost(self, u: Tensor, c: Tensor, z: Tensor, some: Tensor) -> Tensor:
        """Return the share of what is kept that a linear decoder does not give back, and what the task loses."""
        up, outside = _decoder(u, z)
        back = u @ up + outside
        lost = u.new_zeros(())
        if self.told:
            up, outside = _decoder(u, c)
            lost = (c - u @ up - outside).square().sum() / (c - c.mean(dim=0)).square().sum()
        if self.head is not None:
            said, meant = (self.head.scores(one).log_softmax(dim=1) for one in (back, z))
            return lost + TASK_WEIGHT * functional.kl_div(said, meant, reduction="batchmean", log_target=True)
        found, wanted = similarities(back), similarities(z)
        apart = ~torch.eye(len(wanted), dtype=torch.bool, device=wanted.device)
        lost = lost + (found - wanted)[apart].square().mean() / wanted[apart].var().clamp_min(TINY)
        return lost if self.rows.person is None else lost + contrastive(found, self.rows.person[some])


def _some(units: Tensor | None, own: Tensor) -> Tensor | None:
    """Return the units of some of the rows, numbered anew."""
    return None if units is None else torch.unique(units[own], return_inverse=True)[1]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Compute on one thread: for matrices of a few hundred rows, several wait for each other more than they help."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _decoder(u: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Return the linear map of narrow features (n, r) that gives back a target (n, t) best: (r, t) and (t,)."""
    mean, middle = u.mean(dim=0), target.mean(dim=0)
    inner = (u - mean).T @ (u - mean)
    inner = inner + READ_BACK * inner.diagonal().mean() * torch.eye(len(inner), device=u.device)
    up = torch.linalg.solve(inner, (u - mean).T @ (target - middle))
    return up, middle - mean @ up
