"""The command line from end to end: a leaky model is audited, sanitized, audited again and reported."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.planted import QUICK, ROWS
from support.weights import read_weights

from audit.atomic_write import sha256
from audit.evidence.audit_result import AuditResult, read_audit, sidecar
from audit.model.example_networks import small_convnet
from audit.model.structure.listing import suggest

Run = Callable[..., Result]
LESS = "--epochs 1 --limit-rows 600 --batch-size 128"


def succeeded(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def files_in(folder: Path) -> dict[Path, str]:
    return {path: sha256(path) for path in folder.rglob("*") if path.is_file()}


def shape(path: Path) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in read_weights(path).items()}


def figures(audit: AuditResult) -> object:
    return audit.findings, audit.task, audit.data, audit.protocol


def test_an_audit_finds_the_leak_beyond_the_floor(before: Path) -> None:
    result = read_audit(before)
    (found,) = result.findings
    one = found.measurement
    assert (found.role, found.attribute, found.layer) == ("private", "colour", "classifier:input")
    assert found.decided.verdict == "FAIL"
    assert one.score.low > one.floor_score.high
    assert one.excess.low > found.decided.limit
    assert one.strongest in {"committee", *(f"{attacker.name} on {attacker.view}" for attacker in one.attackers)}
    assert one.ceiling is not None and one.ceiling.figure.low > one.score.high, "the input shows it all"
    assert one.figures["given_task"].low > 0
    assert one.null.low <= one.guess <= one.null.high
    assert result.task is not None and result.task.accuracy.value > result.task.chance
    assert result.command.startswith("irene audit ") and "--private colour" in result.command


def test_two_audits_give_the_same_figures(before: Path, leaky: Path, run: Run, tmp_path: Path) -> None:
    succeeded(run("audit", leaky, ROWS, QUICK, "-o", tmp_path / "again.json"))
    assert figures(read_audit(tmp_path / "again.json")) == figures(read_audit(before))


def test_another_seed_draws_other_rows(before: Path, leaky: Path, run: Run, tmp_path: Path) -> None:
    succeeded(run("audit", leaky, ROWS, QUICK, "--seed 1 -o", tmp_path / "other.json"))
    assert read_audit(tmp_path / "other.json").data.fingerprint != read_audit(before).data.fingerprint


def test_json_prints_the_file_and_nothing_else(leaky: Path, run: Run, tmp_path: Path) -> None:
    result = succeeded(run("audit", leaky, ROWS, QUICK, "--json -o", tmp_path / "a.json"))
    assert result.stdout == (tmp_path / "a.json").read_text(encoding="utf-8")
    assert json.loads(result.stdout)["findings"][0]["attribute"] == "colour"


def test_an_audit_leaves_its_checkpoint_and_folder_as_they_were(leaky: Path, run: Run, tmp_path: Path) -> None:
    was = files_in(leaky.parent)
    succeeded(run("audit", leaky, ROWS, QUICK, "--layer encoder.6,classifier:input -o", tmp_path / "a.json"))
    assert files_in(leaky.parent) == was
    assert [one.layer for one in read_audit(tmp_path / "a.json").private] == ["encoder.6", "classifier:input"]


def test_what_is_kept_and_where_it_is_read_stand_in_the_evidence(leaky: Path, run: Run, tmp_path: Path) -> None:
    columns = "--arch small-convnet --data digits --private colour --keep digit --where --no-ceiling"
    told = succeeded(run("audit", leaky, columns, QUICK, "--limit 0.1 -o", tmp_path / "a.json"))
    result = read_audit(tmp_path / "a.json")
    (colour,), (digit,) = result.private, result.retained
    measured = colour.measurement
    assert (digit.attribute, colour.attribute, measured.ceiling) == ("digit", "colour", None)
    assert digit.decision is None
    assert (result.task, measured.floor_score.value, measured.guess) == (None, 0.1, 0.1)
    assert (result.protocol.limit, result.protocol.limit_set_by) == (0.1, "user")
    assert colour.where is not None and colour.where.input_map is not None
    first, second, last = told.stdout.splitlines()
    assert first.startswith("FAIL: colour at classifier:input: ")
    assert second.startswith("KEPT: digit at classifier:input: ")
    assert last == f"Wrote {tmp_path / 'a.json'}"
    assert "Note: no prediction of a task was given, so the floor is chance." in told.stderr.splitlines()


def test_layers_are_listed_with_the_suggested_bottleneck(leaky: Path, run: Run) -> None:
    listed = succeeded(run("layers", leaky, "--arch small-convnet --data digits")).stdout
    model = small_convnet()
    assert all(name in listed for name, _ in model.named_modules())
    assert listed.splitlines()[-1] == f"Suggested bottleneck: {suggest(model.eval(), torch.zeros(1, 3, 8, 8))}"


def test_the_columns_may_change_places(leaky: Path, run: Run, tmp_path: Path) -> None:
    succeeded(run("audit", leaky, ROWS, QUICK, "--task colour --private digit -o", tmp_path / "a.json"))
    result = read_audit(tmp_path / "a.json")
    (one,) = result.findings
    assert result.task is not None and (result.task.name, one.attribute) == ("colour", "digit")
    assert one.measurement.floor_score.low > 0.5, "what the model answers is the digit, so the floor is high"


def test_a_users_file_gives_network_and_rows(leaky: Path, own: Path, run: Run, tmp_path: Path) -> None:
    source = f"--arch {own}:network --arch-arg classes=10 --data {own}:rows --data-arg shift=3"
    columns = "--task digit --private colour,odd"
    succeeded(run("audit", leaky, source, columns, QUICK, "-o", tmp_path / "a.json"))
    result = read_audit(tmp_path / "a.json")
    assert [one.attribute for one in result.private] == ["colour", "odd"]
    assert (result.data.name, result.data.options["seed"]) == ("mine", 3)
    assert result.checkpoint.architecture.endswith("own.py:network(classes=10)")
    succeeded(run("sanitize", leaky, source, columns, LESS, "-o", tmp_path / "clean.safetensors"))


@pytest.mark.parametrize("method", ["kernel", "irene", "irene --head mlp --inner-steps 2", "plain"])
def test_a_sanitized_checkpoint_drops_in_and_carries_its_record(
    method: str, leaky: Path, run: Run, tmp_path: Path
) -> None:
    parent, clean = sha256(leaky), tmp_path / "clean.safetensors"
    succeeded(run("sanitize", leaky, ROWS, LESS, "--seed 5 --data-arg seed=7 --method", method, "-o", clean))
    assert sha256(leaky) == parent
    assert shape(clean) == shape(leaky)
    assert sha256(clean) != parent
    assert set(tmp_path.iterdir()) == {clean, sidecar(clean)}
    succeeded(run("audit", clean, ROWS, QUICK, "-o", tmp_path / "after.json"))
    record = read_audit(tmp_path / "after.json").checkpoint.sanitizing
    assert record is not None
    assert (record.method, record.parent_sha256, len(record.trace)) == (method.split(maxsplit=1)[0], parent, 1)
    assert (record.head_accuracy["colour"] is not None) == method.startswith("irene")
    assert (record.settings["seed"], record.settings["data.seed"]) == (5, 7)
    assert record.settings.get("method.head") == {"irene": "linear"}.get(method, "mlp" if "mlp" in method else None)


def test_a_record_counts_for_its_own_checkpoint_alone(leaky: Path, run: Run, tmp_path: Path) -> None:
    clean = tmp_path / "clean.safetensors"
    succeeded(run("sanitize", leaky, ROWS, LESS, "-o", clean))
    shutil.copy(leaky, clean)
    result = succeeded(run("audit", clean, ROWS, QUICK, "-o", tmp_path / "after.json"))
    assert read_audit(tmp_path / "after.json").checkpoint.sanitizing is None
    assert "Note: clean.safetensors.json is the record of another checkpoint" in result.stderr


def test_the_same_command_gives_the_same_checkpoint(leaky: Path, run: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        succeeded(run("sanitize", leaky, ROWS, LESS, "-o", tmp_path / f"{name}.safetensors"))
    assert sha256(tmp_path / "a.safetensors") == sha256(tmp_path / "b.safetensors")


def test_a_nested_half_precision_pt_file_stays_one(leaky: Path, run: Run, tmp_path: Path) -> None:
    state = {f"module.{key}": value for key, value in safetensors.torch.load_file(leaky).items()}
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save({"model": half, "epoch": 3}, tmp_path / "model.pt")
    succeeded(run("sanitize", tmp_path / "model.pt", ROWS, LESS, "--method kernel -o", tmp_path / "clean.pt"))
    written = torch.load(tmp_path / "clean.pt", weights_only=True)
    assert list(written) == ["model"]
    assert {key: (t.shape, t.dtype) for key, t in written["model"].items()} == {
        key: (t.shape, t.dtype) for key, t in half.items()
    }


def test_before_and_after_become_one_page(before: Path, leaky: Path, run: Run, tmp_path: Path) -> None:
    clean, page = tmp_path / "clean.safetensors", tmp_path / "report.html"
    succeeded(run("sanitize", leaky, ROWS, LESS, "-o", clean))
    succeeded(run("audit", clean, ROWS, QUICK, "-o", tmp_path / "after.json"))
    result = succeeded(run("report", before, tmp_path / "after.json", "-o", page))
    assert f"Wrote {page}" in result.stdout
    text = page.read_text(encoding="utf-8")
    assert sha256(leaky)[:16] in text and sha256(clean)[:16] in text
    swapped = run("report", tmp_path / "after.json", before, "-o", tmp_path / "swapped.html")
    assert swapped.exit_code == 1 and "the other way round" in swapped.stderr


AUDIT = f"audit model.safetensors {ROWS} {QUICK} -o out/a.json "
SANITIZE = f"sanitize model.safetensors {ROWS} {LESS} -o out/c.safetensors "
ONE_STEP = "--batch-size 510 --optimizer sgd --lr 1e9"
WRONG = {
    # the checkpoint and its architecture
    AUDIT.replace("model.s", "gone.s"): "No checkpoint gone.safetensors",
    AUDIT.replace("model.s", "cut.s"): "cut.safetensors is not a whole safetensors file",
    AUDIT.replace("model.safetensors", "pickled.pt"): "torch.nn.modules.linear.Linear",
    AUDIT + "--arch biased-mnist": "does not fit biased-mnist",
    AUDIT + "--arch small-convnt": "Did you mean 'small-convnet'?",
    AUDIT + "--arch-arg num_classes=2": "of another shape: classifier.weight",
    AUDIT + "--arch-arg num_classes": "'num_classes' is not NAME=VALUE",
    AUDIT + "--arch-arg classes=10": "Unknown option of small-convnet 'classes'",
    AUDIT + "--arch nowhere.at.all:network": "no module named 'nowhere'",
    AUDIT + "--arch own.py:netwrk": "Did you mean 'network'?",
    # the rows and the columns
    AUDIT + "--data digts": "Did you mean 'digits'?",
    AUDIT + "--data celeba --data-root folder": "No list_attr_celeba.txt in folder",
    AUDIT + "--image-size 64": "Unknown option of digits 'image_size'",
    AUDIT + "--data-arg part=train": "an audit reads no row that trains a model",
    AUDIT + "--data own.py:network": "Unknown option of own.py:network 'part'",
    AUDIT + "--rho 1.5": "rho is 1.5",
    AUDIT + "--private color": "Did you mean 'colour'?",
    AUDIT + "--task digits": "Did you mean 'digit'?",
    AUDIT + "--private colour,digit": "'digit' is the task and cannot be private or kept too",
    AUDIT + "--keep colour": "'colour' cannot be private and kept at once",
    AUDIT + "--keep colr": "Did you mean 'colour'?",
    AUDIT + "--group person": "Unknown group column of digits 'person'",
    AUDIT + "--private ,": "No private attribute was named",
    AUDIT + "--data own.py:rows --private constant": "'constant' has one class only (same)",
    AUDIT + "--limit-rows 60": "each needs 10",
    AUDIT + "--limit-rows 30": "three splits need at least 10",
    AUDIT.replace("model.safetensors", "wide.pt") + "--arch own.py:wide": "The model cannot take the inputs of digits",
    # the measurement
    AUDIT + "--layer classifer": "Did you mean 'classifier'?",
    AUDIT + "--layer classifier:inpt": "'classifier:inpt' ends in 'inpt'",
    AUDIT + "--attackers logistc": "Did you mean 'logistic'?",
    AUDIT + "--attackers ,": "No attacker was named",
    AUDIT + "--attackers sklearn.preprocessing:StandardScaler": "is no scikit-learn classifier or regressor",
    AUDIT + "--attackers sklearn.linear_model:Ridge": "none of them reads classes",
    AUDIT + "--table labels.csv": "--table is for embeddings",
    AUDIT + "--predicted digit": "--predicted is for embeddings",
    AUDIT.replace("--data digits", ""): "Missing option '--data'",
    AUDIT + "--limit 1.5": "Invalid value for '--limit'",
    AUDIT + "--limit nan": "Invalid value for '--limit'",
    AUDIT + "--seed 4294967296": "Invalid value for '--seed'",
    AUDIT + "--device quantum": "No device 'quantum' here",
    AUDIT + "--device meta": "No device 'meta' here",
    AUDIT + "--device cuda": "No CUDA device here",
    # where it goes
    AUDIT + "-o model.safetensors": "model.safetensors is what is audited",
    AUDIT + "-o model.safetensors.json": "or its record",
    AUDIT + "-o folder": "Cannot write folder: it is a folder",
    AUDIT + "-o own.py/a.json": "Cannot make the folder own.py",
    SANITIZE + "-o model.safetensors": "model.safetensors is the checkpoint itself",
    SANITIZE + "-o out/c.pt": "Give it the suffix '.safetensors'",
    SANITIZE.replace("model.safetensors", "half.pt") + "-o out/c.pt2": "would be overwritten by a program",
    SANITIZE + "-o own.py/c.safetensors": "Cannot make the folder own.py",
    SANITIZE + "-o taken.safetensors": "Cannot write taken.safetensors.json: it is a folder",
    # the sanitizer
    SANITIZE + "--private color": "Did you mean 'colour'?",
    SANITIZE + "--private ,": "No private attribute was named",
    SANITIZE + "--private digit": "'digit' is the task and cannot be private too",
    SANITIZE + "--layer encodr.10": "Did you mean 'encoder.10'?",
    SANITIZE + "--method kernl": "Did you mean 'kernel'?",
    SANITIZE + "--method plain --ridge 1": "Unknown option of method plain 'ridge'",
    SANITIZE + "--method own.py:network": "gave a ConvNet, not a method",
    SANITIZE + "--batch-size 5000": "do not fill one batch of 5000",
    SANITIZE + "--limit-rows 1": "has one class only",
    SANITIZE + "--lr nan": "Invalid value for '--lr'",
    SANITIZE + "--batch-size 128 --optimizer sgd --lr 1e9": "Fine-tuning diverged",
    SANITIZE + "--keep colour": "'colour' is to be kept and to be removed",
    SANITIZE + "--keep colr": "Did you mean 'colour'?",
    SANITIZE + "--freeze encodr": "Did you mean 'encoder'?",
    SANITIZE + "--resume": "Leave --resume out to begin",
    SANITIZE + "--layer encoder.0": "not one vector",
    SANITIZE.replace("model.safetensors", "half.pt") + f"{ONE_STEP} -o out/c.pt": "became NaN or infinite",
    # the report
    "report gone.json -o out/r.html": "Cannot read gone.json",
    "report edited.json -o out/r.html": "edited.json was changed after it was written",
    "report text.json -o out/r.html": "text.json is not an audit's evidence",
    "report newer.json -o out/r.html": "schema_version",
    "report before.json before.json -o out/r.html": "Both files audit the same checkpoint",
    "report before.json -o before.json": "before.json is the evidence itself",
    "report before.json unlike.json -o out/r.html": "they differ in: seed (0 before, 7 after)",
    "report before.json -o folder": "Cannot write folder: it is a folder",
    "layers gone.pt --arch small-convnet --data digits": "No checkpoint gone.pt",
    "layers wide.pt --arch own.py:wide --data digits": "The model cannot take the inputs of digits",
}


@pytest.mark.parametrize(("typed", "said"), WRONG.items(), ids=[f"{t.split()[0]}-{s}" for t, s in WRONG.items()])
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(
    typed: str, said: str, bench: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    if said.startswith("No CUDA") and torch.cuda.is_available():
        pytest.skip("CUDA is here")
    monkeypatch.chdir(bench)
    was = files_in(bench)
    result = run(typed)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    errors = result.stderr[result.stderr.index("Error: ") :].splitlines()
    assert len(errors) == 1 and said in errors[0]
    assert files_in(bench) == was
    assert not (bench / "ran").exists(), "the pickle was run"
