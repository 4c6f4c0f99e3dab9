"""Who is given what `irene sanitize` wrote runs it in two lines, and cannot lose its code or map unseen."""

import copy
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import Result
from torch import Tensor, nn

import irene
from audit.errors import BottleneckError, CheckpointError, UnknownNameError
from audit.model.release import ENCODER, KEYS, Released
from sanitizer.methods import nonlinear_map
from sanitizer.run import program

PAGE = (Path(__file__).parents[2] / "docs" / "releases.md").read_text(encoding="utf-8")
LINES = [textwrap.dedent(block) for block in re.findall(r"(?ms)^ *```python\n(.*?)^ *```$", PAGE)]
"""What the page tells a holder of the files to type: for the program, and for the weights."""
MODEL = """
from torch import nn
def build():
    return nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 2))
"""
METHODS = ("codebook", "pairs", "map", "leace", "rich")


def build() -> nn.Module:
    namespace: dict[str, Callable[[], nn.Module]] = {}
    exec(MODEL, namespace)
    return namespace["build"]()


def inputs(n: int = 50) -> Tensor:
    return torch.randn(n, 6, generator=torch.Generator().manual_seed(9))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for each method, with what `irene.sanitize` wrote there, and the module that builds the model."""
    root = tmp_path_factory.mktemp("written")
    x = torch.randn(600, 6, generator=torch.Generator().manual_seed(0))
    rows = irene.labelled(x, {"y": (x[:, 0] > 0).long().numpy(), "v": (x[:, 1] > 0).long().numpy()})
    torch.manual_seed(0)
    state = build().state_dict()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nonlinear_map, "STEPS", 5)
        for method in METHODS:
            folder = root / method
            folder.mkdir()
            (folder / "mymodels.py").write_text(MODEL, encoding="utf-8")
            torch.save(state, folder / "model.pt")
            loaded = irene.load(folder / "model.pt", f"{folder}/mymodels.py:build")
            options = irene.SanitizeOptions(epochs=2, batch_size=64, allow_chance=True)
            irene.sanitize(loaded, rows, folder / "clean.pt", task="y", private="v", method=method, options=options)
    return root


@pytest.mark.parametrize("method", METHODS)
def test_the_lines_of_the_page_give_a_stranger_the_programs_outputs(method: str, written: Path, tmp_path: Path) -> None:
    torch.save(inputs(), tmp_path / "x.pt")
    assert [len([line for line in block.splitlines() if line.strip()]) for block in LINES] == [2, 2]
    answers = []
    for place, lines in enumerate(LINES):
        out = tmp_path / f"{place}.pt"
        code = (
            f"{lines}\nimport torch\ntorch.save(model(torch.load({str(tmp_path / 'x.pt')!r})).detach(), {str(out)!r})\n"
        )
        code += "import sys\nprint('irene' in sys.modules)\n"
        path = {"PYTHONPATH": f"{written / method}:{Path(irene.__file__).parents[1]}"}
        typed = [sys.executable, "-c", code]
        done = subprocess.run(typed, capture_output=True, text=True, cwd=written / method, env=path, check=True)
        assert done.stdout == ("False\n", "True\n")[place]
        answers.append(torch.load(out))
    assert torch.allclose(answers[0], answers[1], atol=1e-5)
    plain = build().eval()
    kept = {key.removeprefix(ENCODER): value for key, value in torch.load(written / method / "clean.pt").items()}
    plain.load_state_dict({key: value for key, value in kept.items() if key not in KEYS})
    assert not torch.allclose(plain(inputs()), answers[0], atol=1e-3), "the encoder alone answers something else"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("saved_again", [False, True])
def test_a_plain_architecture_takes_nothing_of_it_even_if_it_was_saved_again(
    method: str, saved_again: bool, written: Path, tmp_path: Path
) -> None:
    path, model = written / method / "clean.pt", irene.load_released(written / method / "clean.pt", build)
    if saved_again:
        path = tmp_path / "again.pt"
        torch.save(model.state_dict(), path)
        assert torch.load(path).keys() == torch.load(written / method / "clean.pt").keys()
        assert torch.equal(irene.load_released(path, build)(inputs()), model(inputs()))
    plain = build()
    was = copy.deepcopy(plain.state_dict())
    said = plain.load_state_dict(torch.load(path), strict=False)
    assert set(said.missing_keys) == set(was)
    assert all(torch.equal(value, was[name]) for name, value in plain.state_dict().items())
    with pytest.raises(RuntimeError, match="Missing key"):
        plain.load_state_dict(torch.load(path))


def test_a_copy_and_a_program_of_it_keep_what_stands_there(written: Path) -> None:
    model = irene.load_released(written / "map" / "clean.pt", build)
    assert isinstance(model, Released) and not any(module.training for module in model.modules())
    assert torch.equal(copy.deepcopy(model)(inputs()), model(inputs()))
    exported = torch.export.export(model, (inputs(),), strict=False).module()
    assert torch.allclose(exported(inputs()), model(inputs()), atol=1e-6)
    compiled = torch.compile(model, backend="eager")
    assert torch.allclose(compiled(inputs()), model(inputs()), atol=1e-6)


@pytest.mark.parametrize("how", ["replaced", "taken out"])
def test_a_model_whose_layer_was_replaced_with_the_map_refuses_to_run(how: str, written: Path) -> None:
    running = irene.load_released(written / "map" / "clean.pt", build)
    audited = irene.load(written / "map" / "clean.pt", f"{written}/map/mymodels.py:build").module
    for model, net in ((running, running.irene.encoder), (audited, audited)):
        assert isinstance(net, nn.Sequential)
        if how == "replaced":
            net[4] = nn.Identity()
        else:
            del net[4]
        with pytest.raises(BottleneckError, match="'4' was replaced or taken out, and with it what irene put"):
            model(inputs())


def test_what_is_no_release_is_refused_in_one_line(written: Path, tmp_path: Path) -> None:
    folder = written / "codebook"
    held = torch.load(folder / "clean.pt")
    for name, state in {
        "stripped": {key: value for key, value in held.items() if key not in KEYS},
        "two": held | build().state_dict(),
    }.items():
        torch.save(state, tmp_path / f"{name}.pt")
    for path, builds, fact in (
        (folder / "model.pt", build, "carries no code or map"),
        (program(folder / "clean.pt"), build, r"is a program.*torch\.export\.load"),
        (tmp_path / "stripped.pt", build, "not the release that stood at their bottleneck"),
        (tmp_path / "two.pt", build, "weights of two models in one"),
        (folder / "clean.pt", build(), "A Sequential was given in the place of what builds the model"),
        (folder / "clean.pt", 3, "A int was given in the place of what builds the model"),
        (folder / "clean.pt", lambda: 3, "gave a int, not a torch.nn.Module"),
        (folder / "clean.pt", lambda: nn.Linear(6, 2), "does not fit"),
        (folder / "clean.pt", lambda: 1 / 0, "failed with ZeroDivisionError"),
        (folder / "none.pt", build, "No checkpoint"),
    ):
        with pytest.raises(CheckpointError, match=fact) as refused:
            irene.load_released(path, builds)  # type: ignore[arg-type]
        assert "\n" not in str(refused.value)
    with pytest.raises(UnknownNameError):
        irene.load_released(folder / "clean.pt", "build")


@pytest.mark.parametrize(
    ("typed", "idle"),
    [
        ("--method map --epochs 5", "--epochs"),
        ("--method map --task y --freeze 0", "--freeze"),
        ("--lr 0.1", "--lr"),
        ("--method leace --batch-size 64", "--batch-size"),
        ("--method pairs --patience 2", "--patience"),
    ],
)
def test_options_of_a_training_that_does_not_take_place_are_refused_before_any_work(
    typed: str, idle: str, written: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    folder = written / "map"
    arch = f"--arch {folder}/mymodels.py:build --data {tmp_path}/none.csv --private v"
    ended = run("sanitize", folder / "model.pt", arch, typed, "-o", tmp_path / "clean.pt")
    assert ended.exit_code == 2
    last = ended.output.strip().splitlines()[-1]
    assert re.search(rf"--method \w+( without a --task)? trains nothing.* {idle} would have no effect\. Leave --", last)


@pytest.mark.parametrize("typed", ["--method map --epochs 0", "--method codebook --task y --epochs 5", "--method map"])
def test_they_are_no_reason_to_refuse_where_they_are_not_typed_or_have_an_effect(
    typed: str, written: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    (tmp_path / "irene.toml").write_text("epochs = 5\nlr = 0.1\n", encoding="utf-8")
    arch = f"--arch {written}/map/mymodels.py:build --data {tmp_path}/none.csv --private v"
    config = f"--config {tmp_path}/irene.toml"
    ended = run("sanitize", written / "map" / "model.pt", arch, typed, config, "-o", tmp_path / "clean.pt")
    assert ended.exit_code == 1 and "none.csv" in ended.output


def test_the_command_says_what_a_holder_can_do_and_how_the_files_are_run(
    written: Path, run: Callable[..., Result], tmp_path: Path
) -> None:
    x = np.random.default_rng(0).normal(size=(300, 6)).round(3)
    names = [f"x{place}" for place in range(6)]
    lines = [",".join([*names, "y", "v", "split"])]
    lines += [",".join(map(str, [*row, int(row[0] > 0), int(row[1] > 0), "train"])) for row in x]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    folder = written / "codebook"
    arch = f"--arch {folder}/mymodels.py:build --data {tmp_path}/rows.csv --features {','.join(names)}"
    asked = "--task y --private v --allow-chance --epochs 1 --batch-size 64"
    ended = run("sanitize", folder / "model.pt", arch, asked, "-o", tmp_path / "clean.pt")
    assert ended.exit_code == 0, ended.output
    assert "Note: What the encoder gives before the code at 4:input leaks as before" in ended.output
    assert "can leave the code out. Give away what comes behind it" in ended.output
    assert "run the program, or load the file by irene.load_released(file, build)" in ended.output
    assert "clean.pt2, which runs without irene" in ended.output
