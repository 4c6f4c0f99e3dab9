"""DP-SGD and federated averaging, which the paper names beside removal: neither hides what the bottleneck tells."""

import copy
import warnings

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset, random_split

from audit.data.labelled import LabelledData
from sanitizer.job import Recipe

CLIENTS = 5
NOISE, CLIP, DELTA = 1.0, 1.0, 1e-5
"""Of DP-SGD: the noise's deviation in units of the clip, the largest gradient of a row, the chance that it fails."""


def tensors(data: LabelledData, task: str) -> TensorDataset:
    """Return inputs and task labels in memory."""
    x = torch.stack([data.inputs[row] for row in range(len(data))])
    return TensorDataset(x, torch.from_numpy(data.codes(task)))


def steps(model: nn.Module, batches: DataLoader[tuple[Tensor, ...]], optimizer: torch.optim.Optimizer) -> None:
    """Train one epoch."""
    device = next(model.parameters()).device
    for x, y in batches:
        if len(x) > 1:  # a batch that chance drew has any size
            optimizer.zero_grad()
            functional.cross_entropy(model(x.to(device)), y.to(device)).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def differentially_private(
    model: nn.Module, data: LabelledData, task: str, recipe: Recipe, device: torch.device
) -> tuple[nn.Module, str]:
    """Train by DP-SGD (Abadi et al., 2016) as Opacus does it, and return the model and its guarantee."""
    try:
        from opacus import PrivacyEngine
        from opacus.validators import ModuleValidator
    except ImportError:
        raise SystemExit("DP-SGD is Opacus's: pip install opacus, or leave `others` out of --parts.") from None
    model = ModuleValidator.fix(model).to(device)  # batch norm mixes rows: group norm takes its place
    optimizer = torch.optim.SGD(model.parameters(), lr=recipe.lr, momentum=0.9)
    engine = PrivacyEngine()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of hooks, and that its noise is not cryptographic
        private, optimizer, batches = engine.make_private(
            module=model,
            optimizer=optimizer,
            data_loader=DataLoader(tensors(data, task), batch_size=recipe.batch_size),
            noise_multiplier=NOISE,
            max_grad_norm=CLIP,
        )
        for _ in range(recipe.epochs):
            steps(private, batches, optimizer)
    epsilon = engine.get_epsilon(DELTA)
    inner: nn.Module = private._module
    private.remove_hooks()
    return inner, f"epsilon {epsilon:.1f} at delta {DELTA:g}"


def federated(
    model: nn.Module, data: LabelledData, task: str, recipe: Recipe, device: torch.device
) -> tuple[nn.Module, str]:
    """Train by federated averaging (McMahan et al., 2017): an epoch at each client, then the mean of their weights."""
    everything = tensors(data, task)
    share = [len(everything) // CLIENTS] * CLIENTS
    parts = random_split(everything, [*share[:-1], len(everything) - sum(share[:-1])])
    model = model.to(device).train()
    for _ in range(recipe.epochs):
        clients = []
        for part in parts:
            client = copy.deepcopy(model)
            optimizer = torch.optim.SGD(client.parameters(), lr=recipe.lr, momentum=0.9, weight_decay=1e-4)
            steps(client, DataLoader(part, batch_size=recipe.batch_size, shuffle=True), optimizer)
            clients.append(client.state_dict())
        mean = {name: torch.stack([one[name].double() for one in clients]).mean(dim=0) for name in clients[0]}
        model.load_state_dict({name: value.to(clients[0][name].dtype) for name, value in mean.items()})
    return model, f"{CLIENTS} clients of {share[0]:,} rows, {recipe.epochs} rounds"
