"""The call from Python: names as one string or several, a path as text, a method by its name, the rest in options."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from support.findings import sanitizing
from support.planted import FEW

from audit.atomic_write import sha256, staged_together
from audit.caveats import TRAINED_ON_THESE
from audit.data.labelled import Inputs, LabelledData
from audit.data.sources.opening import open_data
from audit.errors import CheckpointError, DataError, IreneError, TrainingError, UnknownNameError, UnreadableError
from audit.evidence.audit_result import AuditResult, Sidecar, read_sidecar, sidecar
from audit.evidence.json_file import as_json
from audit.model.checkpoint import LoadedModel, load
from audit.model.describe import is_as_loaded
from audit.run import audit
from sanitizer.checkpoint import require_finite
from sanitizer.methods.codebook import CARD
from sanitizer.methods.irene import Irene
from sanitizer.options import SanitizeOptions
from sanitizer.run import program, require_output, require_own, sanitize, state_file, written
from sanitizer.vectors import require_vectors_output

QUICK = SanitizeOptions(epochs=1, batch_size=128)


def test_the_shortest_call_makes_a_release_for_the_task_alone(leaky: Path, tmp_path: Path) -> None:
    data = open_data("digits", "train", {}).limited(600, seed=0)
    out = tmp_path / "clean.safetensors"
    done = sanitize(
        load(leaky, "small-convnet"), data, str(out), task="digit", private="colour", options=replace(QUICK, epochs=0)
    )
    assert (done.method, done.release, done.layer) == ("codebook", "code", "classifier:input")
    assert (done.settings["private"], done.settings["keep"]) == ("colour", "")
    assert done.card == CARD == read_sidecar(sidecar(out)).sanitizing.card
    assert out.is_file() and program(out).is_file() and not state_file(out).exists()
    with pytest.raises(CheckpointError, match="was sanitized already"):
        again = tmp_path / "again.safetensors"
        sanitize(load(out, "small-convnet"), data, again, task="digit", private="colour", options=QUICK)


def test_an_audit_of_what_load_returns_names_its_file_and_the_sanitizer_unless_it_was_trained_since(
    leaky: Path, tmp_path: Path
) -> None:
    data, rows = (open_data("digits", part, {}).limited(600, seed=0) for part in ("train", "audit"))
    loaded, out = load(leaky, "small-convnet"), tmp_path / "clean.safetensors"

    def audited(model: LoadedModel, rows: LabelledData = rows) -> AuditResult:
        return audit(model, rows, task="digit", private="colour", settings=replace(FEW, min_class=2))

    before = audited(loaded)
    assert (before.checkpoint.file, before.checkpoint.sha256) == (leaky.name, loaded.sha256)
    sanitize(loaded, data, out, task="digit", private="colour", options=replace(QUICK, epochs=0))
    trained = audited(loaded)  # in place: these are no longer the weights of that file
    assert trained.checkpoint.format == "live object"
    assert f"the weights are no longer those of {leaky.name}, which the model was loaded from" in trained.warnings
    after = audited(load(out, "small-convnet"))
    assert after.checkpoint.sanitizing is not None
    assert after.checkpoint.sanitizing.parent_sha256 == before.checkpoint.sha256
    on_its_own = audited(load(out, "small-convnet"), data)
    assert TRAINED_ON_THESE in on_its_own.warnings and TRAINED_ON_THESE not in after.warnings
    with torch.no_grad():
        next(loaded.module.parameters()).add_(1)
    assert not is_as_loaded(loaded)


def test_a_method_is_named_or_given_with_its_settings(leaky: Path, tmp_path: Path) -> None:
    data = open_data("digits", "train", {}).limited(600, seed=0)
    made = []
    for method in ("irene", Irene()):
        loaded, out = load(leaky, "small-convnet"), tmp_path / f"{type(method).__name__}.safetensors"
        made.append(sanitize(loaded, data, out, task="digit", private=["colour"], method=method, options=QUICK))
    assert made[0] == made[1]
    with pytest.raises(UnknownNameError, match="Did you mean 'irene'"):
        sanitize(loaded, data, tmp_path / "x.safetensors", task="digit", private="colour", method="iren")


def test_no_epoch_and_no_release_is_refused_and_nothing_is_written(leaky: Path, tmp_path: Path) -> None:
    data, options = open_data("digits", "train", {}).limited(600, seed=0), replace(QUICK, epochs=0)
    with pytest.raises(TrainingError, match=r"^--epochs 0 trains nothing, and the method leaves no release\. A "):
        sanitize(
            load(leaky, "small-convnet"), data, tmp_path / "clean.safetensors", task="digit", private="colour",
            method="kernel", options=options,
        )  # fmt: skip
    assert not list(tmp_path.glob("clean*"))


def test_an_attribute_to_retain_chooses_what_so_few_rows_allow_and_cannot_be_removed_too(
    leaky: Path, tmp_path: Path
) -> None:
    data = open_data("digits", "train", {}).limited(600, seed=0)
    data = replace(data, columns={**data.columns, "other": data.columns["colour"]})
    given = load(leaky, "small-convnet"), data, tmp_path / "rich.safetensors"
    with pytest.raises(DataError, match="to be kept and to be removed"):
        sanitize(*given, task="digit", private="colour", keep="colour", options=QUICK)
    done = sanitize(*given, task="digit", private="colour", keep="other", options=replace(QUICK, name="mine:Rich"))
    assert (done.method, done.settings["keep"], done.release) == ("mine:Rich", "other", "map")


def test_weights_that_the_checkpoints_type_cannot_hold_are_refused(leaky: Path) -> None:
    loaded = load(leaky, "small-convnet")
    assert loaded.weights is not None
    require_finite(loaded.weights, loaded.module)
    halves = {name: tensor.half() for name, tensor in loaded.weights.tensors.items()}
    with torch.no_grad():
        next(loaded.module.parameters()).fill_(1e6)
    require_finite(loaded.weights, loaded.module)
    with pytest.raises(TrainingError, match=r"became NaN or infinite\. Try a smaller --lr or --weight"):
        require_finite(replace(loaded.weights, tensors=halves), loaded.module)


def test_the_options_are_a_recipe_and_where_it_is_carried_out() -> None:
    options = SanitizeOptions(3, 64, layer="fc:input", device="cpu")
    assert (options.recipe.epochs, options.recipe.batch_size, options.place) == (3, 64, torch.device("cpu"))
    assert not hasattr(options.recipe, "layer")


class _Torn:
    """Inputs of which some cannot be read."""

    def __init__(self, inputs: Inputs, torn: set[int]) -> None:
        self._inputs, self._torn = inputs, torn

    def __len__(self) -> int:
        return len(self._inputs)

    def __getitem__(self, row: int, /) -> Any:
        if row in self._torn:
            raise UnreadableError("Cannot read the image. Restore it.")
        return self._inputs[row]


def test_rows_that_cannot_be_read_are_left_out_and_counted(leaky: Path, tmp_path: Path) -> None:
    whole = open_data("digits", "train", {}).limited(600, seed=0)
    torn = replace(whole, inputs=_Torn(whole.inputs, {0, 7, 599}))
    more = replace(torn, columns={name: column for name, column in torn.columns.items() if name != "colour"})
    out, options = tmp_path / "clean.safetensors", replace(QUICK, epochs=0, unlabelled=more)
    done = sanitize(load(leaky, "small-convnet"), torn, out, task="digit", private="colour", options=QUICK)
    assert (done.settings["data.rows"], done.settings["data.unreadable"]) == (597, 3)
    assert f"3 rows of {whole.name} could not be read and were left out" in done.notes
    with pytest.raises(DataError, match="all are of groups held out, or copies of labelled rows"):
        sanitize(
            load(leaky, "small-convnet"), whole, out, task="digit", private="colour", method="map", options=options
        )
    none = replace(whole, inputs=_Torn(whole.inputs, set(range(600))))
    with pytest.raises(DataError, match="None of the 600 inputs of"):
        sanitize(load(leaky, "small-convnet"), none, out, task="digit", private="colour", options=QUICK)


def kept(folder: Path, output: str, left: dict[str, bytes]) -> None:
    """Expect that a set of files is not begun over those that are left there, and that these stay."""
    for name, content in left.items():
        (folder / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=r"is there already, is no .* and would be lost"):
        require_output(folder / output, folder / "parent.pt")
    with pytest.raises(CheckpointError, match=r"is there already, is no .* and would be lost"):
        require_vectors_output((folder / output).with_suffix(".npz"))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == left


def record(release: str | None, sha: str = "0" * 64) -> bytes:
    made = sanitizing().model_copy(update={"release": release})
    return as_json(Sidecar(sha256=sha, sanitizing=made))


def test_a_program_of_the_users_own_is_not_taken_away(tmp_path: Path) -> None:
    kept(tmp_path, "net.pt", {"net.pt2": b"mine"})
    kept(tmp_path, "net.pt", {"net.pt2": b"mine", "net.pt.json": record(None), "net.npz.json": record(None)})
    kept(tmp_path, "net.pt", {"net.pt2": b"mine", "net.pt.json": record("map"), "net.pt2.json": record("map")} | {
        "net.npz.json": record("map")
    })  # fmt: skip


def test_evidence_that_has_the_name_of_a_record_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "clean.json").write_text("an audit")
    with pytest.raises(CheckpointError, match=r"clean\.json is there already, is no record of clean and would be lost"):
        require_output(tmp_path / "clean", tmp_path / "parent.pt")
    kept(tmp_path, "other.pt", {"clean.json": b"an audit", "other.pt2.json": b"an audit"})


@pytest.mark.parametrize("stands", [(".pt.json", ".pt2.json"), (".pt.json",), (".pt2.json",)])
def test_what_an_earlier_run_left_is_replaced_also_where_it_was_killed(stands: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "net.pt2").write_bytes(b"a program")
    for suffix in stands:
        (tmp_path / f"net{suffix}").write_bytes(record("code", sha256(tmp_path / "net.pt2")))
    require_output(tmp_path / "net.pt", tmp_path / "parent.pt")


@pytest.mark.parametrize("name", ["net.pt", "net.npz"])
def test_a_file_of_the_users_own_is_not_the_output_and_that_of_an_earlier_run_is(name: str, tmp_path: Path) -> None:
    output = tmp_path / name

    def refused() -> None:
        with pytest.raises(IreneError, match=rf"{name} is there already, is no work of this command and would be lost"):
            require_own(output)

    output.write_bytes(b"mine")
    refused()
    (tmp_path / f"{name}.json").write_bytes(record(None))
    refused()  # a file of another content, trained on since
    (tmp_path / f"{name}.json").write_bytes(record(None, sha256(output)))
    require_own(output)


def test_no_weights_ever_stand_without_their_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run may be killed before each move, also one that trains no epoch and so leaves no state."""
    output, moves = tmp_path / "net.pt", list[bool]()

    def hooked(real: Callable[..., object]) -> Callable[..., object]:
        def moved(path: Path, *given: object, **more: object) -> object:
            require_own(output)
            moves.append(output.exists())
            return real(path, *given, **more)

        return moved

    for content in (b"old", b"new"):
        with staged_together(written(output)) as stage:
            stage(output).write_bytes(content)
            stage(sidecar(output)).write_bytes(record(None, hashlib.sha256(content).hexdigest()))
            if content == b"new":
                monkeypatch.setattr(Path, "replace", hooked(Path.replace))
    require_own(output)
    assert moves == [False, False]
