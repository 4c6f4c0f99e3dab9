"""Options from a TOML file."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import Result
from support.planted import labels, noise
from torch import nn

from audit.evidence.audit_result import read_audit

Run = Callable[..., Result]
N = 600


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    sex, job = labels(N), labels(N, seed=2)
    z = noise(N)
    z[:, 0] += 3 * sex
    np.savez(tmp_path / "z.npz", pool=z.astype(np.float32), other=z.astype(np.float32), sex=sex, job=job)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "irene.toml").write_text(text, encoding="utf-8")
    return Path("irene.toml")


AUDIT = """
private = ["sex", "job"]
attackers = "logistic"
limit = 0.1

[audit]
subject = "z.npz"
layer = "pool"
seed = 3
output = "a.json"
"""


def test_a_file_holds_the_options_and_the_evidence_tells_them_in_full(folder: Path, run: Run) -> None:
    result = run("audit --config", write(folder, AUDIT))
    assert result.exit_code == 0, result.output
    found = read_audit(folder / "a.json")
    assert [(one.attribute, one.layer, one.decided.limit) for one in found.private] == [
        ("sex", "pool", 0.1),
        ("job", "pool", 0.1),
    ]
    assert found.protocol.seed == 3
    assert found.command == (
        "irene audit --private sex,job --attackers logistic --limit 0.1 z.npz --layer pool --seed 3 --output a.json"
    )
    again = run(found.command.removeprefix("irene ").replace("a.json", "b.json"))
    assert again.exit_code == 0, again.output
    assert read_audit(folder / "b.json").findings == found.findings


def test_what_is_typed_wins(folder: Path, run: Run) -> None:
    result = run("audit z.npz --private sex --config", write(folder, AUDIT), "--limit 0.3")
    assert result.exit_code == 0, result.output
    found = read_audit(folder / "a.json")
    assert [(one.attribute, one.decided.limit) for one in found.private] == [("sex", 0.3)]
    assert "job" not in found.command and found.command.count("--limit") == 1 and found.command.count("z.npz") == 1


def test_of_two_files_the_last_counts_and_the_command_names_neither(folder: Path, run: Run) -> None:
    (folder / "other.toml").write_text("limit = 0.2", encoding="utf-8")
    result = run("audit --config=other.toml --config", write(folder, AUDIT), "--limit 0.4")
    assert result.exit_code == 0, result.output
    assert read_audit(folder / "a.json").command == (
        "irene audit --private sex,job --attackers logistic z.npz --layer pool --seed 3 --output a.json --limit 0.4"
    )


def test_one_file_serves_several_commands(folder: Path, run: Run) -> None:
    config = write(folder, '[audit]\nsubject = "z.npz"\nprivate = "sex"\nattackers = "logistic"\nlayer = "pool"\n'
                   'output = "a.json"\n[check]\nevidence = "a.json"\nlimit = 0.49\nallow-inconclusive = true\n'
                   '[report]\nevidence = ["a.json"]\ndpia = true\noutput = "page.html"\n')  # fmt: skip
    assert run("audit --config", config).exit_code == 0
    result = run("check --config", config)
    assert result.exit_code == 0, result.output
    assert run("check --limit 0.01 --config", config).exit_code == 3
    assert run("report --config", config).exit_code == 0
    assert (folder / "page.html").exists() and (folder / "page.dpia.md").exists()


def test_what_stands_at_the_top_is_for_every_command_that_knows_it(folder: Path, run: Run) -> None:
    top = 'subject = "z.npz"\nprivate = "sex"\nattackers = "logistic"\nlayer = "pool"\nepochs = 3\nlimit = 0.02\n'
    config = write(folder, f'{top}[audit]\noutput = "a.json"\nlimit = 0.49\n[check]\nevidence = "a.json"\n')
    assert run("audit --config", config).exit_code == 0
    assert read_audit(folder / "a.json").private[0].decided.limit == 0.49
    assert run("check --config", config).exit_code == 3
    write(folder, config.read_text(encoding="utf-8").replace("[audit]", "[audit]\nepochs = 3"))
    assert "Unknown option of irene audit in irene.toml 'epochs'" in run("audit --config", config).output


def test_arguments_of_a_factory_are_a_table(folder: Path, run: Run) -> None:
    (folder / "made.py").write_text(
        "from torch import nn\n\ndef build(width, deep):\n    assert deep is True\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(192, width), nn.Linear(width, 10))\n",
        encoding="utf-8",
    )
    config = write(folder, 'checkpoint = "w.safetensors"\ndata = "digits"\n'
                   "arch-arg = { width = 5, deep = true }\n")  # fmt: skip
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(192, 5), nn.Linear(5, 10))
    safetensors.torch.save_file(model.state_dict(), folder / "w.safetensors")
    result = run("layers --arch made.py:build --config", config)
    assert result.exit_code == 0, result.output
    assert "Suggested bottleneck: 2:input" in result.output


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("privat = 'sex'", "Unknown option of irene audit in irene.toml 'privat'. Did you mean 'private'? Known: "),
        (
            "[audit2]\nlimit = 0.1",
            "Unknown option of irene audit in irene.toml 'audit2'. Did you mean '[audit]'? Known: ",
        ),
        ("limit = 'ten'", "Invalid value for '--limit': 'ten' is not a valid float"),
        ("seed = 1.5", "Invalid value for '--seed': '1.5' is not a valid integer"),
        ("where = 'yes'", 'where in irene.toml is "yes", and takes true or false.'),
        ("layer = true", "layer in irene.toml is true, and takes text, a number or a list of them."),
        ("layer = { pool = 1 }", 'layer in irene.toml is {"pool": 1}, and takes text, a number or a list of them.'),
        ("allow-pickle = true", "allow-pickle in irene.toml must be typed: no file that came along may let code run."),
        ("limit = ", "irene.toml is not TOML: "),
    ],
)
def test_what_the_file_says_wrong_is_told_in_one_line_and_nothing_is_written(
    folder: Path, run: Run, text: str, told: str
) -> None:
    result = run("audit z.npz --private sex -o a.json --config", write(folder, text))
    assert result.exit_code in (1, 2)
    assert told in result.output.splitlines()[-1]
    assert not (folder / "a.json").exists()


def test_a_file_that_is_not_there_is_named(folder: Path, run: Run) -> None:
    result = run("audit z.npz --private sex --config nowhere.toml")
    assert result.exit_code == 1
    assert result.output.splitlines()[-1] == (
        "Error: Cannot read nowhere.toml: No such file or directory. Name a TOML file."
    )


def test_the_example_of_the_docs_is_read_by_every_command_it_names(folder: Path, run: Run) -> None:
    page = Path(__file__).parents[3] / "docs" / "model.md"
    (example,) = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    config = write(folder, example)
    for command in ("audit model.pt", "sanitize model.pt -o clean.pt", "sweep model.pt", "layers model.pt"):
        result = run(f"{command} --config", config)
        assert result.exit_code == 1
        last = result.output.splitlines()[-1]
        assert "model.pt" in last or "faces/ does not exist" in last, "only files are missing"


@pytest.mark.parametrize(
    "text",
    [
        'arch = "subprocess:check_output"\narch-arg = { args = "touch ran", shell = true }',
        'arch = "own.py:build"',
        'arch = "torchvision.models.resnet:os.system"',
        'arch = "torchvision.models:get_model_builder"',
        'data = "own:build"',
        'data = "./own.py:build"',
        'transform = "own:build"',
        'attackers = ["logistic", "own:build"]',
        'data-arg = { transform = "own:build" }',
        "data-arg = ['arch=\"own:build\"']",
    ],
)
def test_a_config_runs_no_code(folder: Path, run: Run, text: str) -> None:
    (folder / "own.py").write_text("open('ran', 'w')\n", encoding="utf-8")
    torch.save(nn.Linear(2, 2).state_dict(), folder / "w.pt")
    config = write(
        folder, f'subject = "w.pt"\nprivate = "sex"\n{text}\n' + ("" if "data =" in text else 'data = "digits"')
    )
    result = run("audit --config", config)
    assert result.exit_code == 1
    assert "must be typed: no file that came along may let code run" in result.output
    assert not (folder / "ran").exists()


def test_a_config_names_no_code_of_unlabelled_rows(folder: Path, run: Run) -> None:
    (folder / "own.py").write_text("open('ran', 'w')\n", encoding="utf-8")
    torch.save(nn.Linear(2, 2).state_dict(), folder / "w.pt")
    usual = 'subject = "w.pt"\nprivate = "sex"\ndata = "digits"\n'
    for name, refused in (("own.py:build", True), ("digits", False), ("own.py", False)):
        result = run("sanitize -o clean.pt --config", write(folder, f'{usual}unlabelled = "{name}"'))
        assert result.exit_code != 0
        assert ("must be typed: no file that came along may let code run" in result.output) == refused, result.output
    assert not (folder / "ran").exists()


def test_a_config_names_no_weights_to_be_fetched(folder: Path, run: Run) -> None:
    text = 'arch = "torchvision.models:resnet18"\narch-arg = { weights = "DEFAULT" }\nsubject = "w.pt"\nprivate = "sex"'
    assert "may have any fetched" in run("audit --config", write(folder, text)).output


def test_a_config_names_what_builds_models_alone(folder: Path, run: Run) -> None:
    torch.save(nn.Linear(2, 2).state_dict(), folder / "w.pt")
    (folder / "folder").mkdir()
    for arch in ("torchvision.models:resnet18", "small-convnet", "timm:resnet10t", "hf:folder"):
        told = run("layers w.pt --data digits --config", write(folder, f'arch = "{arch}"')).output
        assert "must be typed" not in told, told


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("backend", "dask://192.0.2.1:8786"),
        ("backend", "ray://192.0.2.1:10001"),
        ("data", "https://example.invalid/rows.csv"),
        ("data-root", "s3://bucket"),
        ("data-arg", "data_root=memory://faces"),
        ("arch", "hf:somebody/model"),
        ("tokenizer", "somebody/model"),
    ],
)
def test_a_config_names_no_other_machine(folder: Path, run: Run, option: str, value: str) -> None:
    config = write(folder, f'subject = "w.pt"\nprivate = "sex"\n{option} = "{value}"\n')
    result = run("audit --config", config)
    assert result.exit_code == 1
    assert "no file that came along may have another machine called" in result.output.splitlines()[-1]


def test_a_config_names_a_backend_of_this_machine(folder: Path, run: Run) -> None:
    result = run("audit --config", write(folder, f'backend = "threads"\n{AUDIT}'))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("name", ["notes.txt", "notes.json", "notes.html", "z.npz"])
def test_a_config_writes_over_no_file_that_irene_did_not_write(folder: Path, run: Run, name: str) -> None:
    if name != "z.npz":
        (folder / name).write_text('{"mine": 1}', encoding="utf-8")
    before = (folder / name).read_bytes()
    result = run("audit --config", write(folder, AUDIT.replace("a.json", name)))
    assert result.exit_code == 1
    assert (folder / name).read_bytes() == before
    assert "would be lost" in result.output


def test_a_config_replaces_evidence_and_what_was_typed_replaces_no_more(folder: Path, run: Run) -> None:
    config = write(folder, AUDIT)
    for typed in ("", "", "-o other.json", "-o other.json"):
        assert run(f"audit {typed} --config", config).exit_code == 0
    read_audit(folder / "other.json")
    (folder / "notes.json").write_text("{}", encoding="utf-8")
    assert "notes.json is there already" in run("audit -o notes.json --config", config).output
    assert (folder / "notes.json").read_text(encoding="utf-8") == "{}"
