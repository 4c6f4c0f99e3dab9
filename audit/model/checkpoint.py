"""Load any checkpoint, all of it or nothing, into a model whose layers can be tapped."""

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeGuard

from torch import nn

from audit.column_names import several
from audit.errors import CheckpointError, listed, require_flag, require_kind, require_text, visible
from audit.model import release
from audit.model.architecture import WAYS, build, in_words
from audit.model.checkpoint_file import CheckpointFile, Kind, open_checkpoint, with_dense_steps
from audit.model.files.adapter import CONFIG, adapter_file, merged, read_config
from audit.model.files.contents import entries
from audit.model.files.folder import WHOLE, not_read, sha256_of
from audit.model.files.foreign import is_safetensors
from audit.model.files.outside import require_settled
from audit.model.files.places import chosen, within
from audit.model.files.quantised import require_floats
from audit.model.files.safe_pickle import Read, read_torch
from audit.model.fitting import fitted, tensors_in
from audit.model.huggingface import PREFIX, is_folder
from audit.model.release import Released
from audit.model.state_dict import Weights, read_safetensors

RAN = "the file is a pickle, and code of its own ran while it was read (--allow-pickle)"


@dataclass(frozen=True)
class LoadedModel:
    """A model with a file's weights in it, in eval mode on the CPU."""

    module: nn.Module
    weights: Weights | None
    """None for what can be audited and not sanitized: a program, or a pickled module."""
    architecture: str
    format: str
    """`state_dict`, `torchscript`, `exported program`, `onnx` or `pickled module`."""
    path: Path
    sha256: str
    """Of the file, 64 hexadecimal digits."""
    fixed_batch: int | None = None
    """Rows that the model takes, if it takes no other number."""
    weights_key: str | None = None
    """The key of the file under which the weights, or the module, were found."""
    pickle_ran: bool = False
    """Whether code of the file's own ran while it was read."""
    notes: tuple[str, ...] = ()
    """Remarks on the file for the reader of the evidence."""


@dataclass(frozen=True)
class LoadOptions:
    """How the user wants a file to be loaded."""

    architecture: str | Callable[[], nn.Module] | None
    arguments: Mapping[str, object]
    weights_key: str | None
    allow_pickle: bool
    skip_types: Collection[str]

    def __post_init__(self) -> None:
        require_kind(
            self.arguments, Mapping, "The arguments of a factory are", "Give them by name: {'num_classes': 2}."
        )
        require_text("The key of the weights", self.weights_key)
        require_flag("allow_pickle", self.allow_pickle)
        object.__setattr__(self, "skip_types", tuple(several(self.skip_types, "A type to skip")))


def load(
    path: str | os.PathLike[str],
    architecture: str | None = None,
    arguments: Mapping[str, object] | None = None,
    *,
    weights_key: str | None = None,
    allow_pickle: bool = False,
    skip_types: Collection[str] = (),
) -> LoadedModel:
    """Load a model: weights into the architecture that is named, or a program that brings its own.

    Args:
        path: `.safetensors`, a file of torch.save, a TorchScript program, a program of torch.export, an ONNX model, or
            a folder that holds one of them, or the shards of one.
        architecture: A built-in name, `timm:NAME`, `hf:FOLDER`, `package.module:factory` or `file.py:factory`; needed
            for weights, but for those in a folder with the config.json of Hugging Face.
        arguments: Keyword arguments of the factory, for instance `num_classes`.
        weights_key: The key of the file that holds the weights, for instance `model_ema`.
        allow_pickle: Run the code of a pickled file. For files that the user made; it can do anything.
        skip_types: Types of objects beside the weights, as `package.module.Type`, that are left out unread.

    Raises:
        CheckpointError: The file is missing, pickled, not finite, does not fit, or is not for such options.
        UnknownNameError: No such architecture, or no weights under that key.
    """
    return _loaded(path, LoadOptions(architecture, arguments or {}, weights_key, allow_pickle, skip_types))


def load_released(
    path: str | os.PathLike[str],
    architecture: str | Callable[[], nn.Module],
    arguments: Mapping[str, object] | None = None,
    *,
    weights_key: str | None = None,
) -> Released:
    """Load what `irene sanitize` wrote to run it: the model and the code or map at its bottleneck, as one module.

    The module is in eval mode on the CPU and its state_dict() has the names of the file, so that it can be saved and
    loaded again, and no plain architecture takes its weights without the code or map. `load` is for audits.

    Args:
        path: The weights. The program beside them needs no irene: `torch.export.load(path).module()`.
        architecture: What builds the model, a function without arguments or a name as of `load`.
        arguments: Keyword arguments of the factory that a name stands for.
        weights_key: The key of the file that holds the weights, as of `load`.

    Raises:
        CheckpointError: The file carries no code or map, or one that does not fit, or cannot be read as of `load`.
        UnknownNameError: No such architecture, or no weights under that key.
    """
    loaded = _loaded(path, LoadOptions(architecture, arguments or {}, weights_key, allow_pickle=False, skip_types=()))
    if loaded.weights is None:
        raise CheckpointError(
            f"{path} is a program, and brings what stands at its bottleneck. Run it without irene: "
            f"torch.export.load({os.fspath(path)!r}).module()."
        )
    if release.NAME not in dict(loaded.module.named_children()):
        raise CheckpointError(
            f"{path} carries no code or map: what it gives, its encoder gives. Take the checkpoint that `irene "
            "sanitize` wrote by a method that leaves one, or load this one by irene.load."
        )
    return Released(loaded.module)


def _loaded(path: str | os.PathLike[str], options: LoadOptions) -> LoadedModel:
    if not isinstance(path, str | os.PathLike):
        raise CheckpointError(f"A checkpoint is named by its path, and {path!r} was given. Name a file.")
    architecture = options.architecture
    if (adapter := adapter_file(Path(path))) and (base := _named_folder(architecture)):
        return _adapted(adapter, base, options)
    file = open_checkpoint(path)
    _require_no_adapter(Path(path))
    if architecture is None and is_folder(Path(path)):
        options = replace(options, architecture=f"{PREFIX}{os.fspath(path)}")
    if isinstance(options.architecture, str) and options.architecture.startswith(PREFIX) and Path(path).is_dir():
        file = with_dense_steps(file, Path(path))
    loaded = READERS[file.kind](file, options)
    other = not_read(Path(path), file.path.name) if Path(path).is_dir() else None
    return replace(loaded, notes=(*loaded.notes, other)) if other else loaded


def require_weights(loaded: LoadedModel) -> Weights:
    """Return the weights, to be changed and written back; raise a CheckpointError if the model brings none."""
    if loaded.weights is None:
        what = {
            "torchscript": "a TorchScript program",
            "exported program": "a program of torch.export",
            "onnx": "an ONNX model",
        }
        raise CheckpointError(
            f"{loaded.path} is {what.get(loaded.format, 'a pickled module')} and can be audited, not sanitized. Give "
            "the state_dict of the model it was made from: torch.save(model.state_dict(), 'model.pt')."
        )
    return loaded.weights


def _read(file: CheckpointFile, options: LoadOptions) -> Read:
    """Read a file, or all of its shards together, with the dense steps behind it."""
    read = _read_parts(file, options)
    for place, path in enumerate(file.added):
        step = _read_one(path, options, is_safetensors=is_safetensors(path))
        if not isinstance(read.content, Mapping) or not isinstance(step.content, Mapping):
            raise CheckpointError(f"{path} or {file.path} holds no weights by name. Copy the folder again.")
        named = {f"dense.{place}.{name}": value for name, value in step.content.items()}
        read = Read({**read.content, **named}, read.ran or step.ran, read.left_out)
    return read


def _read_one(path: Path, options: LoadOptions, *, is_safetensors: bool) -> Read:
    if is_safetensors:
        return Read(read_safetensors(path))
    return read_torch(path, allow_pickle=options.allow_pickle, skip_types=options.skip_types)


def _read_parts(file: CheckpointFile, options: LoadOptions) -> Read:
    is_of_tensors = file.kind == "safetensors"
    if not file.shards:
        return _read_one(file.path, options, is_safetensors=is_of_tensors)
    found = [_read_one(path, options, is_safetensors=is_of_tensors) for path in file.shards]
    content: dict[object, object] = {}
    for path, read in zip(file.shards, found, strict=True):
        if not isinstance(read.content, Mapping) or content.keys() & read.content.keys():
            raise CheckpointError(f"{path} is no part of {file.path.name}: it holds other things. Copy it again.")
        content |= read.content
    left_out = tuple(sorted({name for read in found for name in read.left_out}))
    return Read(content, any(read.ran for read in found), left_out)


def _named_folder(architecture: str | Callable[[], nn.Module] | None) -> Path | None:
    """Return the folder of Hugging Face's form that an architecture names."""
    name = architecture if isinstance(architecture, str) else ""
    folder = Path(name.removeprefix(PREFIX))
    return folder if name.startswith(PREFIX) and is_folder(folder) else None


def _require_no_adapter(folder: Path) -> None:
    """Refuse a folder that holds weights beside an adapter, which others add to them without a word."""
    if folder.is_dir() and adapter_file(folder):
        raise CheckpointError(
            f"{folder} holds a model and a LoRA adapter beside it, which transformers adds to it. Name that folder as "
            f"the model of the adapter, too (--arch {PREFIX}FOLDER), or take {CONFIG} away if it is not meant."
        )


def _adapted(path: Path, folder: Path, options: LoadOptions) -> LoadedModel:
    """Add an adapter to the weights of the model's folder."""
    if folder.resolve() != path.parent.resolve():
        _require_no_adapter(folder)
    config, own, base = read_config(path), open_checkpoint(path), open_checkpoint(folder)
    files = (path, *(base.shards or (base.path,)))
    read = [_read(file, options) for file in (own, base)]
    named = [{str(key): one for key, one in each.content.items()} for each in read if isinstance(each.content, Mapping)]
    if len(named) < len(read):
        raise CheckpointError(f"{path} or {base.path} holds no weights by name. Copy the folders again.")
    both = replace(base, path=path, shards=files, sha256=sha256_of((path.with_name(CONFIG), *files)))
    content = merged(path, config, named[1], named[0])
    loaded = _weights(both, Read(content, any(one.ran for one in read), read[1].left_out), options)
    said = visible(str(config.get("base_model_name_or_path")))[:100]
    note = f"a LoRA adapter was added to the weights of {visible(folder.resolve().name)}; it says it is for {said}"
    return replace(loaded, notes=(*loaded.notes, note))


def _weights_file(file: CheckpointFile, options: LoadOptions) -> LoadedModel:
    read = _read(file, options)
    if read.ran:
        content = read.content
        modules = {"": content} if _is_module(content) else within(content, _is_module)
        named = options.weights_key is None or options.weights_key in modules
        if modules and named and (options.architecture is None or not entries(file.path, content)):
            return _pickled_module(file, modules, options.weights_key)
    return _weights(file, read, options)


def _weights(file: CheckpointFile, read: Read, options: LoadOptions) -> LoadedModel:
    if options.architecture is None:
        require_floats(file.path, tensors_in(file, read.content))
        lacking = (
            "; config.json, which says what model a folder holds, is not beside it" if file.path.name in WHOLE else ""
        )
        raise CheckpointError(f"{file.path} holds weights without a model{lacking}. Name what builds it: {WAYS}.")
    model, words = build(options.architecture, options.arguments), in_words(options.architecture, options.arguments)
    named = options.architecture if isinstance(options.architecture, str) else words
    _require_settled(model, options, named)
    weights = fitted(model, file, read.content, named, options.weights_key)
    several = f"the model lies in {len(file.shards)} files; irene sanitize writes one"
    left_out = f"objects beside the weights were left out unread: {listed(read.left_out)}"
    return LoadedModel(
        model.eval(),
        weights,
        words,
        "state_dict",
        file.path,
        file.sha256,
        weights_key=weights.key,
        pickle_ran=read.ran,
        notes=(
            *([several] if file.shards else []),
            *weights.notes,
            *([left_out] if read.left_out else []),
            *([RAN] if read.ran else []),
        ),
    )


def _require_settled(model: nn.Module, options: LoadOptions, named: str) -> None:
    """Refuse a factory that draws by chance what no file holds; those of transformers draw weights alone."""
    architecture = options.architecture
    if architecture is not None and not (isinstance(architecture, str) and architecture.startswith(PREFIX)):
        require_settled(model, lambda: build(architecture, options.arguments), named)


def _pickled_module(file: CheckpointFile, modules: Mapping[str, nn.Module], key: str | None) -> LoadedModel:
    """Take one of the modules that a pickle holds, by their dotted keys; a module that is all it holds is ''."""
    nest, notes = chosen(file.path, list(modules), key)
    module = modules[nest]
    return LoadedModel(
        module.eval(),
        None,
        f"{type(module).__module__}.{type(module).__qualname__}",
        "pickled module",
        file.path,
        file.sha256,
        weights_key=nest or None,
        pickle_ran=True,
        notes=(*notes, RAN),
    )


def _program(file: CheckpointFile, options: LoadOptions) -> LoadedModel:
    if options.weights_key is not None:
        raise CheckpointError(f"{file.path} is a program, which keeps no weights under keys. Leave --weights-key out.")
    named = options.architecture if isinstance(options.architecture, str) else "what builds a model"
    unused = f"the file is a program of its own; {named} was not used"
    notes, fixed_batch = () if options.architecture is None else (unused,), None
    if file.kind == "torchscript":
        from audit.model.programs.torchscript import load_torchscript  # noqa: PLC0415 - most checkpoints are weights

        module: nn.Module = load_torchscript(file.path)
        name = type(module).__name__
    elif file.kind == "onnx":
        from audit.model.programs.onnx_program import load_onnx  # noqa: PLC0415 - of an extra

        module = found = load_onnx(file.path)
        name, fixed_batch = "ONNX model", found.fixed_batch
    else:
        from audit.model.programs.exported_program import load_exported  # noqa: PLC0415 - takes a second to import

        module, name, fixed_batch = load_exported(file.path, file.members)
    return LoadedModel(
        module.eval(), None, name, file.kind, file.path, file.sha256, fixed_batch=fixed_batch, notes=notes
    )


def _is_module(content: object) -> TypeGuard[nn.Module]:
    return isinstance(content, nn.Module)


READERS: Mapping[Kind, Callable[[CheckpointFile, LoadOptions], LoadedModel]] = {
    "safetensors": _weights_file,
    "torch file": _weights_file,
    "torchscript": _program,
    "exported program": _program,
    "onnx": _program,
}
"""How each kind of file is read; each refuses before anything in the file could run."""
