"""The cases of benchmarks/matrix.py that are models in memory: families of networks, and forms that they come in."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from matrix_cases import TASK, Case, audited, drawn, package, small_net
from torch import Tensor, nn

import irene
from audit.evidence.audit_result import AuditResult
from audit.model.forward import Encoder
from audit.model.structure.layout import Pool

TORCHVISION: dict[str, tuple[int, dict[str, Any]]] = {
    "alexnet": (64, {}),
    "vgg11": (32, {}),
    "resnet18": (32, {}),
    "resnext50_32x4d": (32, {}),
    "DenseNet": (32, {"growth_rate": 8, "block_config": (2, 2, 2, 2)}),
    "inception_v3": (80, {"init_weights": False}),
    "googlenet": (32, {"init_weights": False}),
    "mobilenet_v2": (32, {}),
    "mobilenet_v3_small": (32, {}),
    "efficientnet_b0": (32, {}),
    "shufflenet_v2_x0_5": (32, {}),
    "squeezenet1_1": (32, {}),
    "mnasnet0_5": (32, {}),
    "regnet_y_400mf": (32, {}),
    "convnext_tiny": (32, {}),
    "VisionTransformer": (32, {"image_size": 32, "patch_size": 8, "num_layers": 2, "num_heads": 2, "hidden_dim": 16,
                               "mlp_dim": 32}),
    "SwinTransformer": (32, {"patch_size": [4, 4], "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2],
                             "window_size": [4, 4]}),
    "MaxVit": (56, {"input_size": (56, 56), "stem_channels": 8, "partition_size": 7, "block_channels": [16],
                    "block_layers": [1], "head_dim": 8, "stochastic_depth_prob": 0.0}),
}  # fmt: skip
"""Names in torchvision.models, the side of the images, and arguments."""
TIMM: dict[str, dict[str, Any]] = {
    "resnet10t": {}, "vit_tiny_patch16_224": {"img_size": 32, "depth": 2}, "convnext_atto": {}, "mobilevitv2_050": {},
    "deit_tiny_distilled_patch16_224": {"img_size": 32, "depth": 2}, "levit_128s": {"img_size": 64},
    "mixer_s32_224": {"img_size": 32}, "xcit_nano_12_p16_224": {"img_size": 32, "depth": 2},
    "ghostnet_050": {}, "swin_tiny_patch4_window7_224": {"img_size": 56, "depths": (1, 1, 1, 1)}, "nfnet_l0": {},
    "tf_efficientnet_lite0": {},
}  # fmt: skip
"""Names in timm, and arguments."""


class Recurrent(nn.Module):
    """A recurrent net over (n, t, 4)."""

    def __init__(self, kind: type[nn.LSTM | nn.GRU | nn.RNN], *, both: bool = False) -> None:
        super().__init__()
        self.rnn = kind(4, 8, batch_first=True, bidirectional=both)
        self.head = nn.Linear(16 if both else 8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Return scores of the last step."""
        scores: Tensor = self.head(self.rnn(x)[0][:, -1])
        return scores


class Variational(nn.Module):
    """A small VAE."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.mean, self.spread = nn.Linear(16, 8), nn.Linear(8, 4), nn.Linear(8, 4)
        self.decoder = nn.Linear(4, 16)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the reconstruction, and the mean and log variance of the code."""
        h = torch.relu(self.encoder(x))
        mean, spread = self.mean(h), self.spread(h)
        return self.decoder(mean + torch.randn_like(mean) * (spread / 2).exp()), mean, spread


class Towers(nn.Module):
    """Two inputs, several outputs: an image and numbers to forty labels, an age and an embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.image, self.numbers = nn.Conv2d(3, 4, 3), nn.Linear(5, 4)
        self.labels, self.age = nn.Linear(8, 40), nn.Linear(8, 1)

    def forward(self, image: Tensor, numbers: Tensor) -> dict[str, object]:
        """Return a mapping of mappings."""
        z = torch.cat([self.image(image).mean((2, 3)), self.numbers(numbers)], dim=1)
        return {"heads": {"labels": self.labels(z), "age": self.age(z)}, "embedding": z}


class Graph(nn.Module):
    """A layer that is used twice, as in siamese nets."""

    def __init__(self) -> None:
        super().__init__()
        self.tower, self.head = nn.Linear(8, 4), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Tensor:
        """Compare the halves of (n, 16)."""
        scores: Tensor = self.head(torch.cat([self.tower(x[:, :8]), self.tower(x[:, 8:])], dim=1))
        return scores


def cases() -> Iterator[Case]:
    """Yield every case."""
    for name, (side, given) in TORCHVISION.items():
        yield Case("torchvision", name, partial(_torchvision, name, side, given))
    for name, given in TIMM.items():
        yield Case("timm", name, partial(_timm, name, given), needs=("timm",))
    yield from _of_torchvision()
    yield from _own()
    yield from _scores()
    yield from _forms()


def _torchvision(name: str, side: int, given: dict[str, Any], _: Path) -> AuditResult:
    return audited(getattr(package("torchvision.models"), name)(num_classes=2, **given), drawn(3, side, side))


def _timm(name: str, given: dict[str, Any], _: Path) -> AuditResult:
    side = given.get("img_size", 32)
    return audited(package("timm").create_model(name, num_classes=2, **given), drawn(3, side, side))


def _of_torchvision() -> Iterator[Case]:
    models = package("torchvision.models")

    def segmenting(layer: str, _: Path) -> AuditResult:
        made = models.segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2)
        return audited(made, drawn(3, 64, 64), layer)

    def detecting(layer: str, _: Path, *, pool: Pool = "mean") -> AuditResult:
        made = models.detection.ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=2)
        return audited(Encoder(made, pool=pool), drawn(3, 64, 64), layer)

    def video(name: str, _: Path) -> AuditResult:
        return audited(getattr(models.video, name)(num_classes=2), drawn(3, 4, 16, 16))

    yield Case("segmentation", "lraspp, its backbone", partial(segmenting, "backbone.16"))
    yield Case("segmentation", "lraspp, its map of scores", partial(segmenting, ""))
    backbone = partial(detecting, "backbone.features.1.3")
    yield Case("detection", "ssdlite, its backbone", backbone, refused=True)
    yield Case("detection", "ssdlite, its backbone, --pool channels-first", partial(backbone, pool="channels-first"))
    yield Case("detection", "ssdlite, its boxes", partial(detecting, ""), refused=True)
    yield Case("video", "r3d_18", partial(video, "r3d_18"))
    yield Case("video", "mc3_18", partial(video, "mc3_18"))


def _own() -> Iterator[Case]:
    for kind in (nn.LSTM, nn.GRU, nn.RNN):
        yield Case("recurrent", kind.__name__, partial(_recurrent, kind), quick=kind is nn.LSTM)
    yield Case("recurrent", "LSTM of both directions", lambda _: audited(Recurrent(nn.LSTM, both=True), drawn(6, 4)))
    yield Case("recurrent", "LSTM alone, its last state", lambda _: audited(
        nn.LSTM(4, 8, batch_first=True), drawn(6, 4), "logits[1][0]"))  # fmt: skip
    for dimensions in (1, 3):
        sizes = (6, 12) if dimensions == 1 else (1, 8, 8, 8)
        net = nn.Sequential(
            getattr(nn, f"Conv{dimensions}d")(sizes[0], 4, 3), nn.ReLU(),
            getattr(nn, f"AdaptiveAvgPool{dimensions}d")(1), nn.Flatten(), nn.Linear(4, 2),
        )  # fmt: skip
        yield Case("convolutions", f"Conv{dimensions}d", partial(_live, net, *sizes), quick=dimensions == 3)
    attention = nn.Sequential(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 2))
    yield Case("attention", "TransformerEncoderLayer", lambda _: audited(attention, drawn(5, 8), "0"))
    yield Case("VAE", "its mean", lambda _: audited(Variational(), drawn(16), "mean"))
    yield Case("VAE", "its random sample", lambda _: audited(Variational(), drawn(16), "decoder:input"), refused=True)
    yield Case("VAE", "its random sample, averaged", lambda _: audited(
        Encoder(Variational(), passes=16), drawn(16), "decoder:input"))  # fmt: skip
    towers = list(zip(drawn(3, 8, 8), drawn(5), strict=True))
    yield Case("multi-task", "two inputs, one of forty labels", lambda _: audited(
        Encoder(Towers(), output="heads.labels.31"), towers, "logits[embedding]"), quick=True)  # fmt: skip
    yield Case("multi-task", "two inputs, no output named", lambda _: audited(Towers(), towers), refused=True)
    yield Case("multi-task", "a shared tower by its own name", lambda _: audited(Graph(), drawn(16), "tower"),
               refused=True)  # fmt: skip
    yield Case("multi-task", "a shared tower, behind both", lambda _: audited(Graph(), drawn(16), "head:input"))
    auto = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 3, padding=1))
    yield Case("no task", "an autoencoder's code", lambda _: audited(auto, drawn(3, 8, 8), "1"))
    encoder = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 32))
    yield Case("no task", "an encoder", lambda _: audited(encoder, drawn(3, 8, 8)))


def _recurrent(kind: type[nn.LSTM | nn.GRU | nn.RNN], _: Path) -> AuditResult:
    return audited(Recurrent(kind), drawn(6, 4))


def _live(*given: Any) -> AuditResult:
    """Audit a network on rows of the sizes that are given behind it."""
    net, *sizes, _ = given
    return audited(net, drawn(*sizes))


def _scores() -> Iterator[Case]:
    def scored(width: int, *behind: nn.Module) -> AuditResult:
        return audited(nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, width), *behind), drawn(16), task="y")

    yield Case("scores", "two logits", lambda _: scored(2))
    yield Case("scores", "one logit", lambda _: scored(1))
    yield Case("scores", "one logit, flat", lambda _: scored(1, nn.Flatten(0)))
    yield Case("scores", "one probability", lambda _: scored(1, nn.Sigmoid()))
    yield Case("scores", "probabilities", lambda _: scored(2, nn.Softmax(1)))
    yield Case("scores", "of a thousand other classes", lambda _: scored(1000), refused=True)


def _forms() -> Iterator[Case]:
    def form(net: nn.Module, layer: str, _: Path) -> AuditResult:
        return audited(net, drawn(16), layer)

    yield Case("form", "bfloat16", partial(form, small_net().bfloat16(), ""), quick=True)
    yield Case("form", "float16", partial(form, small_net().half(), ""))
    yield Case("form", "float64", partial(form, small_net().double(), ""))
    yield Case("form", "quantised as it runs", lambda _: audited(_dynamic(), drawn(16)))
    yield Case("form", "quantised beforehand", lambda _: audited(_static(), drawn(16)), quick=True)
    yield Case("form", "torchvision's resnet18, quantised", _quantised)
    yield Case("form", "compiled", lambda _: audited(_compiled(), drawn(16)))
    yield Case("form", "DataParallel", partial(form, nn.DataParallel(small_net()), ""))
    lazy = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.Linear(8, 2))
    yield Case("form", "a lazy layer", partial(form, lazy, ""), quick=True)
    normed = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(16, 8)), nn.ReLU(), nn.Linear(8, 2))
    yield Case("form", "weight norm", partial(form, normed, ""))
    yield Case("form", "left in training, with dropout", partial(form, nn.Sequential(
        nn.Linear(16, 8), nn.Dropout(0.5), nn.Linear(8, 2)).train(), ""))  # fmt: skip
    yield Case("form", "inputs that the net changes", partial(form, nn.Sequential(
        nn.ReLU(inplace=True), nn.Linear(16, 8), nn.ReLU(inplace=True), nn.Linear(8, 2)), ""))  # fmt: skip
    yield Case("form", "traced", lambda _: audited(_traced(), drawn(16)))
    yield Case("form", "LightningModule", lambda _: audited(_lightning(), drawn(16)), needs=("lightning",))
    yield Case("form", "what is no module", lambda _: irene.audit(
        torch.relu, irene.labelled(drawn(16), TASK), private="sex"), refused=True)  # type: ignore[arg-type]  # fmt: skip


def _dynamic() -> nn.Module:
    made: nn.Module = torch.ao.quantization.quantize_dynamic(small_net(), {nn.Linear})  # type: ignore[no-untyped-call]
    return made


def _static() -> nn.Module:
    tools: Any = torch.ao.quantization
    made = nn.Sequential(tools.QuantStub(), small_net(), tools.DeQuantStub()).eval()
    made.qconfig = tools.get_default_qconfig(torch.backends.quantized.engine)
    tools.prepare(made, inplace=True)(drawn(16))
    converted: nn.Module = tools.convert(made)
    return converted


def _quantised(_: Path) -> AuditResult:
    return audited(package("torchvision.models.quantization").resnet18(quantize=True, num_classes=2), drawn(3, 32, 32))


def _compiled() -> nn.Module:
    made: nn.Module = torch.compile(small_net(), backend="eager")  # type: ignore[assignment]
    return made


def _traced() -> nn.Module:
    made: nn.Module = torch.jit.trace(small_net().eval(), torch.zeros(2, 16))  # type: ignore[no-untyped-call]
    return made


def _lightning() -> nn.Module:
    class Module(package("lightning").LightningModule):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.net = small_net()

        def forward(self, x: Tensor) -> Tensor:
            scores: Tensor = self.net(x)
            return scores

    made: nn.Module = Module()
    return made
