"""Seven jobs give the figures, the exit codes and the sentences that were stored."""

import copy
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden import make
from golden.figures import differences, figures, words

JOBS = (*make.AUDITS, make.SWEPT)
CODES: dict[str, int] = json.loads(make.CODES.read_text(encoding="utf-8"))
SAME = json.loads(make.MACHINE.read_text(encoding="utf-8")) == make.machine()
"""Whether sums are rounded here as they were for the stored set."""


def kept_evidence(job: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((make.HERE / f"{job}.json").read_text(encoding="utf-8"))
    return content


def kept_text(name: str) -> str:
    return (make.HERE / f"{name}.txt").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> make.Outcome:
    """What the jobs give today."""
    return make.run_jobs(tmp_path_factory.mktemp("golden"))


@pytest.fixture(scope="module")
def retold(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, int], dict[str, str]]:
    """Exit codes and texts that today's commands make of the stored evidence."""
    folder = tmp_path_factory.mktemp("stored")
    for job in JOBS:
        shutil.copy(make.HERE / f"{job}.json", folder)
    return make.tell(folder)


def test_this_machine_rounds_as_the_recorded_one_did() -> None:
    if not SAME:
        pytest.skip("another machine: figures are compared loosely, texts without their digits")


@pytest.mark.parametrize("job", JOBS)
def test_every_figure_is_what_it_was(job: str, fresh: make.Outcome) -> None:
    stored, now = figures(kept_evidence(job)), figures(fresh.evidence[job])
    assert differences(stored, now, same_machine=SAME, trained=job in make.TRAINED) == []


def test_every_exit_code_is_what_it_was(fresh: make.Outcome) -> None:
    assert fresh.codes == CODES
    assert set(CODES.values()) == {0, 3, 4}, "the jobs pass, fail and cannot tell"


@pytest.mark.parametrize("name", CODES)
def test_every_text_is_what_it_was(name: str, fresh: make.Outcome) -> None:
    assert words(fresh.texts[name], same_machine=SAME) == words(kept_text(name), same_machine=SAME)


def test_stored_evidence_gives_the_same_exit_codes(retold: tuple[dict[str, int], dict[str, str]]) -> None:
    codes, texts = retold
    assert codes == {name: CODES[name] for name in texts}


@pytest.mark.parametrize("name", [name for name in CODES if name.endswith(".page") or ".check" in name])
def test_stored_evidence_is_told_in_the_same_words(name: str, retold: tuple[dict[str, int], dict[str, str]]) -> None:
    assert retold[1][name] == kept_text(name)


def test_nothing_is_stored_that_no_job_gives(fresh: make.Outcome) -> None:
    texts = {path.stem for path in make.HERE.glob("*.txt")}
    assert texts == set(fresh.texts) == set(CODES)
    assert {path.stem for path in make.HERE.glob("*.json")} == {*JOBS, make.MACHINE.stem, make.CODES.stem}


@pytest.mark.parametrize("job", make.AUDITS)
def test_stored_evidence_is_as_it_was_written(job: str, run: Callable[..., Any]) -> None:
    told = run("verify", make.HERE / f"{job}.json")
    assert f"holds   {make.HERE / f'{job}.json'} is as it was written" in told.stdout
    assert "BROKEN" not in told.stdout


def test_stored_audits_show_what_they_should() -> None:
    kept = {job: kept_evidence(job) for job in JOBS}
    first = {job: kept[job]["findings"][0] for job in make.AUDITS}
    assert {kept[job]["schema_version"] for job in make.AUDITS} == {"3"}
    assert {len(kept[job]["data"]["fingerprint"]) for job in JOBS} == {64}
    assert first["classes"]["where"]["input_map"]
    assert any(one["measurement"]["metric"] == "r2" for one in kept["quantity"]["findings"])
    assert set(first["intersection"]["measurement"]["left_out"]) == {"f & islands", "m & islands"}
    assert kept["intersection"]["data"]["copies"] == 16
    assert [one["role"] for one in kept["kept"]["findings"]].count("retained") == 2
    assert kept["embeddings"]["checkpoint"]["format"] == "embeddings"
    assert first["sanitized"]["certificate"]
    assert kept["sanitized"]["checkpoint"]["sanitizing"]["parent_sha256"] == kept["kept"]["checkpoint"]["sha256"]
    assert all(one["measurement"]["curves"] for one in first.values())
    assert {point["method"] for point in kept[make.SWEPT]["points"]} == {"untouched", "kernel", "irene"}


def test_figures_are_keyed_by_what_they_are_of() -> None:
    found = figures(kept_evidence("sanitized"))
    assert {
        "sex @ fc:input | excess.value",
        "sex @ fc:input | attackers.knn on whitened.select",
        "sex @ fc:input | decision.verdict",
        "height @ fc:input | figures.r2.high",
        "checkpoint.sha256",
        "data.fingerprint",
        "data.copies",
        "task.accuracy.low",
    } <= found.keys()


def changed(value: object) -> object:
    match value:
        case bool():
            return not value
        case float():
            return value * (1 + 1e-6) + 1e-6
        case int():
            return value + 1
        case None:
            return 0
    return f"{value}x"


@pytest.mark.parametrize("job", JOBS)
def test_a_change_of_any_figure_is_seen(job: str) -> None:
    stored = figures(kept_evidence(job))
    for trained in (False, True):
        assert differences(stored, dict(stored), same_machine=True, trained=trained) == []
    for key, value in stored.items():
        now: Any = changed(value)
        (told,) = differences({key: value}, {key: now}, same_machine=True, trained=True)
        assert told.startswith(key)
        assert differences({key: value}, {}, same_machine=True, trained=True)
        assert differences({}, {key: value}, same_machine=True, trained=True)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("findings", 0, "measurement", "excess", "value"), 0.1),
        (("findings", 0, "decision", "verdict"), "INCONCLUSIVE"),
        (("findings", 0, "measurement", "classes", 0, "test"), 7),
        (("data", "fingerprint"), "0" * 64),
        (("data", "copies"), 17),
        (("findings", -1, "measurement", "excess", "low"), 0.5),
    ],
)
@pytest.mark.parametrize("same", [True, False], ids=["this machine", "another"])
def test_a_changed_file_is_seen_on_any_machine(place: tuple[str | int, ...], value: object, same: bool) -> None:
    content = kept_evidence("kept")
    edited: Any = copy.deepcopy(content)
    at = edited
    for part in place[:-1]:
        at = at[part]
    at[place[-1]] = value
    (told,) = differences(figures(content), figures(edited), same_machine=same, trained=False)
    assert repr(value) in told


def test_a_changed_text_is_seen() -> None:
    text = kept_text("kept.audit")
    for same in (True, False):
        assert words(text.replace("strongest", "best"), same_machine=same) != words(text, same_machine=same)
    assert words(text.replace("85.", "84."), same_machine=True) != words(text, same_machine=True)


def test_the_words_of_a_page_stand_in_one_line_for_each_block() -> None:
    page = "<style>p {}</style><h1>A <b>bold</b>\n title</h1><p>one</p><svg><path d='M0'/><text>2 %</text></svg>"
    assert make.visible(page) == "A bold title\none\n2 %\n"


def test_the_stored_files_stay_small() -> None:
    assert sum(path.stat().st_size for path in Path(make.HERE).iterdir() if path.is_file()) < 1_000_000
