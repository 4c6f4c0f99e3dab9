"""The sweep: every point as the other commands would make it, a file that grows by whole points, and its picture."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import pytest
import torch
from click.testing import Result
from support.planted import FEW, ROWS
from torch import Tensor

import sanitizer.cli.sweep
from audit.atomic_write import sha256
from audit.data.labelled import Inputs
from audit.data.loading import REREAD
from audit.data.sources.opening import open_data
from audit.errors import EvidenceError, UnreadableError
from audit.evidence.audit_result import read_audit
from audit.evidence.sweep_result import UNTOUCHED, Sweep, read_sweep, title
from audit.model.checkpoint import load
from audit.settings import Settings
from irene.command import main
from reports.charts.tradeoff_file import draw
from reports.sweep_page.sections.choice import sentences
from sanitizer.method_table import card_of, make_method
from sanitizer.methods.rich import Rich
from sanitizer.options import SweepOptions
from sanitizer.sweep.input_cache import cache_inputs
from sanitizer.sweep.run import sweep

Run = Callable[..., Result]
MODEL = "model.safetensors"
LESS = "--attackers logistic --limit-rows 1500 --batch-size 256 --epochs 2"
SMALL = f"{MODEL} {ROWS} --attackers logistic --limit-rows 1500 --batch-size 256 --epochs 1"


def succeeded(result: Result) -> Result:
    assert result.exit_code == 0, result.output
    return result


def example() -> str:
    command = main.get_command(click.Context(main), "sweep")
    assert command is not None and command.help is not None
    return command.help.partition("Example:\n")[2].replace("\\\n", " ").strip()


@pytest.fixture(scope="module")
def swept(leaky: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Sweep, Path, Result]:
    """The example of the help, on fewer rows and epochs."""
    folder = tmp_path_factory.mktemp("swept")
    (folder / "out/demo").mkdir(parents=True)
    shutil.copy(leaky, folder / "out/demo" / MODEL)
    name, *arguments = shlex.split(example())
    assert name == "irene"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        result = succeeded(run(shlex.join(arguments), LESS))
    return read_sweep(folder / "out/sweep.json"), folder / "out", result


@pytest.fixture
def here(leaky: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in that holds the leaky model."""
    shutil.copy(leaky, tmp_path / MODEL)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def begun(leaky: Path, run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sweep that was stopped in the middle of its second point."""
    folder = tmp_path_factory.mktemp("begun")
    shutil.copy(leaky, folder / MODEL)

    def stopped(items: Iterable[Any], length: int, label: str) -> Iterable[Any]:
        if label == "plain: epochs":
            raise KeyboardInterrupt
        return items

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sanitizer.cli.sweep, "progress", stopped)
        result = run(f"sweep {SMALL} --methods plain -o sweep.json")
    assert result.exit_code == 130
    assert "Stopped; the points so far are in sweep.json. The same command goes on." in result.stderr
    return folder


def test_the_code_lies_at_the_floor_and_the_untouched_checkpoint_does_not(
    swept: tuple[Sweep, Path, Result],
) -> None:
    found = swept[0]
    untouched = found.find(UNTOUCHED, None)
    assert found.points[0] == untouched and untouched is not None and untouched.figures is not None
    (colour,) = untouched.figures.read
    assert (colour.attribute, colour.verdict, colour.certificate) == ("colour", "FAIL", None)
    assert colour.excess.low > found.protocol.limit
    codes = [point for point in found.points if point.method == "codebook"]
    assert [point.weight for point in codes] == [0.5, 2, 8]
    for point in codes:
        assert point.figures is not None
        (colour,) = point.figures.read
        assert colour.excess.low <= 0.02 and colour.balanced_accuracy.value < untouched.figures.read[0].excess.low + 0.1
        assert colour.certificate is not None and colour.certificate.balanced_accuracy > colour.balanced_accuracy.value
        assert point.figures.accuracy.value > 2 * found.task_chance


def test_the_points_are_the_methods_at_each_weight_that_they_take(swept: tuple[Sweep, Path, Result]) -> None:
    found = swept[0]
    weights = [0.5, 2.0, 8.0]
    asked = [(UNTOUCHED, None), ("plain", None), *((name, w) for name in ("irene", "codebook") for w in weights)]
    assert [(point.method, point.weight) for point in found.points] == asked
    for point in found.points[1:]:
        assert point.settings["weight"] == (point.weight or 0)
        assert point.card == card_of(make_method(point.method, {}))
        assert point.epochs == 2 and point.chosen in (0, 1)
        assert point.train_seconds > 0 and point.audit_seconds > 0
    assert found.points[0].train_seconds < 0.1 and found.points[0].chosen is None
    assert (found.setup.task, found.setup.private, found.setup.layer) == ("digit", ["colour"], "classifier:input")
    assert found.calls[0].command.startswith("irene sweep ") and len(found.calls) == 1
    assert found.calls[0].planned == [title(*one) for one in asked]


def test_a_line_is_said_for_every_point_then_where_the_files_are_and_what_it_comes_to(
    swept: tuple[Sweep, Path, Result],
) -> None:
    found, _, result = swept
    *lines, first, second, answer, caveat = result.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == [title(point.method, point.weight) for point in found.points]
    assert re.fullmatch(
        r"untouched: accuracy on digit [\d.]+% \[.*\]; colour [\d.]+% \[.*\], floor [\d.]+%: FAIL", lines[0]
    )
    assert re.search(r"no attacker above [\d.]+% \(at 95% confidence\)", lines[-1])
    assert (first, second) == (f"Wrote {Path('out/sweep.json')}", f"Wrote {Path('out/sweep.svg')}")
    assert [answer, caveat] == sentences(found)


def test_the_chart_names_every_point_in_text(swept: tuple[Sweep, Path, Result]) -> None:
    found, out, _ = swept
    drawn = ET.parse(out / "sweep.svg").getroot()
    texts = [node.text for node in drawn.iter("{http://www.w3.org/2000/svg}text")]
    named = {f"{number} {title(one.method, one.weight)}" for number, one in enumerate(found.points, 1)}
    assert named <= set(texts) and {str(number) for number in range(1, len(named) + 1)} <= set(texts)
    said = " ".join(filter(None, texts))
    for words in ("accuracy on digit", "strongest fresh attacker on colour, n = ", "chance", "floor", "95 %"):
        assert words in said
    assert draw(found) == (out / "sweep.svg").read_text(encoding="utf-8"), "the same sweep, the same picture"


def test_nothing_but_the_evidence_and_the_chart_is_written(swept: tuple[Sweep, Path, Result]) -> None:
    assert {path.name for path in swept[1].iterdir()} == {"demo", "sweep.json", "sweep.svg"}
    assert [path.name for path in (swept[1] / "demo").iterdir()] == [MODEL]


def test_a_point_is_what_sanitizing_and_auditing_give(swept: tuple[Sweep, Path, Result], here: Path, run: Run) -> None:
    rows = f"{ROWS} --limit-rows 1500"
    succeeded(run(f"sanitize {MODEL} {rows} --batch-size 256 --epochs 2 --method codebook --weight 2 -o c.safetensors"))
    succeeded(run(f"audit c.safetensors {rows} --attackers logistic --no-ceiling -o a.json"))
    audit, point = read_audit(Path("a.json")), swept[0].find("codebook", 2.0)
    assert point is not None and point.figures is not None and audit.task is not None
    (colour,), (same,) = point.figures.read, audit.findings
    measured = same.measurement
    assert (colour.attribute, colour.certificate) == (same.attribute, same.certificate)
    assert (colour.verdict, colour.reason) == (same.decided.verdict, same.decided.reason)
    assert (colour.test_rows, colour.chance, colour.entropy) == (
        measured.test_rows,
        measured.baseline["balanced_accuracy"],
        measured.entropy,
    )
    assert (colour.strongest, colour.excess) == (measured.strongest, measured.excess)
    assert colour.balanced_accuracy == measured.figures["balanced_accuracy"]
    assert (colour.bits, colour.floor) == (measured.figures["bits"], measured.floor["balanced_accuracy"])
    assert point.figures.accuracy == audit.task.accuracy
    assert swept[0].data == audit.data


def test_a_stopped_sweep_goes_on_and_a_second_one_adds_what_is_missing(begun: Path, here: Path, run: Run) -> None:
    shutil.copytree(begun, here, dirs_exist_ok=True)
    assert {path.name for path in here.iterdir()} == {MODEL, "sweep.json", "sweep.svg"}
    (first,) = read_sweep(Path("sweep.json")).points
    went_on = succeeded(run(f"sweep {SMALL} --methods plain -o sweep.json"))
    assert [line.endswith("(made before)") for line in went_on.stdout.splitlines()] == [True, *[False] * 5]
    second = read_sweep(Path("sweep.json")).points
    assert second[0] == first, "with its time and its seconds"
    succeeded(run(f"sweep {SMALL} --methods plain,leace,end --weights 1 --workers 1 -o sweep.json"))
    third = read_sweep(Path("sweep.json"))
    assert third.points[:2] == second
    assert [(one.method, one.weight, one.call) for one in third.points[2:]] == [("leace", None, 2), ("end", 1.0, 2)]
    assert len(third.calls) == 3
    was = Path("sweep.json").read_bytes()
    Path("sweep.svg").unlink()
    again = succeeded(run(f"sweep {SMALL} --methods end --weights 1 -o sweep.json"))
    assert Path("sweep.json").read_bytes() == was and Path("sweep.svg").is_file()
    assert again.stdout.count("(made before)") == 4


@pytest.mark.parametrize(
    ("more", "said"),
    {
        "--seed 1": "another seed (0 there, 1 now)",
        "--epochs 3": "another epochs (1 there, 3 now)",
        "--layer encoder.6": "another layer (classifier:input there, encoder.6 now)",
        "--limit-rows 1600": "number of audited rows (1500 there, 1600 now)",
        "--rho 0.5": "labels of the audited rows (",
        "--limit 0.2": "another limit (0.05 there, 0.2 now)",
        "--attackers knn": "another attackers (logistic there, knn now)",
    }.items(),
)
def test_another_setting_is_refused(more: str, said: str, begun: Path, run: Run, monkeypatch: Any) -> None:
    monkeypatch.chdir(begun)
    refused(run, f"sweep {SMALL} {more} --methods plain -o sweep.json", said)


def test_another_checkpoint_is_refused(begun: Path, here: Path, run: Run) -> None:
    shutil.copy(begun / "sweep.json", here)
    state = load(here / MODEL, "small-convnet").module.state_dict()
    torch.save(state, "other.pt")
    typed = SMALL.replace(MODEL, "other.pt")
    there, now = sha256(here / MODEL)[:12], sha256(here / "other.pt")[:12]
    refused(
        run, f"sweep {typed} --methods plain -o sweep.json", f"another checkpoint ({there} there, {now} now)", "with -o"
    )


@pytest.mark.parametrize(
    ("more", "said"),
    {
        "--methods kernl": "Did you mean 'kernel'?",
        "--methods ,": "No method was named",
        "--methods irene --weights 1,two": "'two' is not a valid float",
        "--methods irene --weights 1,nan": "nan is not a number that can be computed with",
        "--weights -1": "-1.0 is not in the range x>=0",
        "-o sweep.txt": "sweep.txt is not a .json file",
        f"-o {MODEL}.json": "is the checkpoint itself, or its record",
        "-o other.json": "other.json is not a sweep's evidence",
        "--private color": "Did you mean 'colour'?",
        "--keep colour": "'colour' cannot be private and kept at once",
        "--layer classifer": "Did you mean 'classifier'?",
        "--batch-size 5000": "do not fill one batch of 5000",
        "--freeze encodr": "Unknown module 'encodr'",
    }.items(),
)
def test_a_mistake_is_told_in_one_line_and_nothing_is_written(more: str, said: str, here: Path, run: Run) -> None:
    Path("other.json").write_text('{"schema_version": "1"}', encoding="utf-8")
    refused(run, f"sweep {SMALL} -o sweep.json {more}", said)


def test_a_picture_without_a_sweep_beside_it_is_not_taken_away(here: Path, run: Run) -> None:
    Path("mine.svg").write_text("<svg/>", encoding="utf-8")
    refused(run, f"sweep {SMALL} -o mine.json", "mine.svg is there already, is no work of this command")
    assert Path("mine.svg").read_text(encoding="utf-8") == "<svg/>"


def test_changed_inputs_under_the_same_labels_are_refused(begun: Path, here: Path) -> None:
    shutil.copy(begun / "sweep.json", here)
    was = Path("sweep.json").read_bytes()
    train, audited = (open_data("digits", part, {}).limited(1500, seed=0) for part in ("train", "audit"))
    made = sweep(
        lambda: load(here / MODEL, "small-convnet"),
        train,
        replace(audited, inputs=Counted(audited.inputs, Counter(), shift=0.5)),
        Path("sweep.json"),
        methods="plain",
        task="digit",
        private="colour",
        options=SweepOptions(epochs=1, batch_size=256, settings=Settings(attackers=("logistic",))),
    )
    with pytest.raises(EvidenceError, match="The inputs of digits are not those"):
        list(made)
    assert Path("sweep.json").read_bytes() == was


def test_a_sweep_is_not_for_several_processes(here: Path, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    refused(run, f"sweep {SMALL} -o sweep.json", "Start it without torchrun")


def refused(run: Run, typed: str, *said: str) -> None:
    was = {path: path.read_bytes() for path in Path().iterdir()}
    result = run(typed)
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    errors = result.stderr[result.stderr.index("Error: ") :].splitlines()
    assert len(errors) == 1 and all(words in errors[0] for words in said), errors
    assert {path: path.read_bytes() for path in Path().iterdir()} == was


def test_a_point_that_diverges_is_recorded_and_the_next_one_is_made(here: Path, run: Run) -> None:
    typed = f"sweep {SMALL} --optimizer sgd --lr 1e9 --methods plain,leace -o sweep.json"
    first = succeeded(run(typed))
    untouched, plain, leace = read_sweep(Path("sweep.json")).points
    assert untouched.figures is not None and untouched.failure is None
    for point in (plain, leace):
        assert point.figures is None and point.failure is not None and "diverged" in point.failure
        assert f"{point.method}: failed. {point.failure}" in first.stdout.splitlines()
        assert point.train_seconds > 0 and point.audit_seconds == 0
    assert "training failed: plain, leace" in Path("sweep.svg").read_text(encoding="utf-8")
    assert succeeded(run(typed)).stdout.count("(made before)") == 3, "it would diverge again"


def test_what_is_kept_is_measured_at_every_point(here: Path, run: Run) -> None:
    typed = SMALL.replace("--task digit", "--task colour").replace("--private colour", "--private digit")
    assert "--task colour --private digit" in typed
    told = succeeded(run(f"sweep {own_rows(typed)} --keep odd --methods rich --allow-chance -o sweep.json")).stdout
    found = read_sweep(Path("sweep.json"))
    assert [(point.method, point.weight) for point in found.points] == [(UNTOUCHED, None), ("rich", Rich().weight)]
    for point in found.points:
        assert point.figures is not None
        (odd,) = point.figures.kept
        assert odd.attribute == "odd" and odd.auroc.low > odd.chance
    assert told.count("odd retained at AUROC 0.") == 2


def own_rows(typed: str) -> str:
    """Write a data source with one more column, and name it."""
    Path("mine.py").write_text(
        "from dataclasses import replace\nfrom audit.data.columns import Column\n"
        "from audit.data.sources.digits import load\n"
        "def rows(part):\n    data = load(part)\n"
        "    odd = Column(data.columns['digit'].codes % 2, ('even', 'odd'))\n"
        "    return replace(data, columns={**data.columns, 'odd': odd})\n",
        encoding="utf-8",
    )
    return typed.replace("--data digits", "--data mine.py:rows")


def test_the_evidence_is_read_without_torch(begun: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom audit.evidence.sweep_result import read_sweep\n"
        f"print(len(read_sweep(Path({str(begun / 'sweep.json')!r})).points))\n"
        "print([name for name in ('torch', 'numpy', 'sklearn', 'matplotlib', 'sanitizer') if name in sys.modules])"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.splitlines() == ["1", "[]"]


def test_a_point_has_figures_or_a_reason(begun: Path, tmp_path: Path) -> None:
    evidence = json.loads((begun / "sweep.json").read_text(encoding="utf-8"))
    evidence["points"][0]["failure"] = "none at all"
    (tmp_path / "both.json").write_text(json.dumps(evidence), encoding="utf-8")
    with pytest.raises(Exception, match="either figures or the reason"):
        read_sweep(tmp_path / "both.json")


@dataclass
class Counted:
    """Inputs that count how often each row is read."""

    inputs: Inputs
    reads: Counter[int]
    shift: float = 0.0
    unsteady: bool = False

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, row: int, /) -> Tensor:
        self.reads[row] += 1
        if row == 7 and not self.shift:
            raise UnreadableError("Cannot read row 7.")
        return torch.as_tensor(self.inputs[row] + self.shift + self.reads[row] * self.unsteady)


def counted(part: Any, rows: int, *, unsteady: bool = False) -> tuple[Any, Counter[int]]:
    data = open_data("digits", part, {}).limited(rows, seed=0)
    reads: Counter[int] = Counter()
    return replace(data, inputs=Counted(data.inputs, reads, unsteady=unsteady)), reads


def test_inputs_are_decoded_once_for_all_points(leaky: Path, tmp_path: Path) -> None:
    audited, reads = counted("audit", 1000)
    train = open_data("digits", "train", {}).limited(600, seed=0)
    made = sweep(
        lambda: load(leaky, "small-convnet"),
        train,
        audited,
        tmp_path / "sweep.json",
        methods=["plain", "leace"],
        task="digit",
        private=["colour"],
        options=SweepOptions(epochs=1, batch_size=128, settings=replace(FEW, attackers=("logistic",))),
    )
    assert [is_new for _, is_new in made] == [True, True, True]
    assert len(reads) == 1000 and max(reads.values()) <= 6, "the first ones are looked at beforehand"
    assert Counter(reads.values())[1] >= 1000 - REREAD
    assert read_sweep(tmp_path / "sweep.json").data.unreadable == 1


def test_inputs_in_memory_are_the_same_and_cannot_be_changed() -> None:
    data, reads = counted("train", 100)
    held, size = cache_inputs(data)
    assert size == 100 * data.inputs[0].nbytes
    reads.clear()
    for row in (0, 50, 99):
        held.inputs[row].zero_()
        assert torch.equal(held.inputs[row], data.inputs[row])
    assert set(reads) == {0, 50, 99}, "by the comparison alone"
    with pytest.raises(UnreadableError, match="row 7"):
        held.inputs[7]


def test_what_does_not_fit_or_is_never_the_same_is_not_held() -> None:
    data, _ = counted("train", 100)
    assert cache_inputs(data, budget=100 * data.inputs[0].nbytes - 1) == (data, 0)
    unsteady, _ = counted("train", 100, unsteady=True)
    assert cache_inputs(unsteady) == (unsteady, 0)
