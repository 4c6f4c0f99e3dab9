"""The links between evidence, records and checkpoints: what belongs together is found, and so is what does not."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.findings import audit, sanitizing

from audit.atomic_write import sha256
from audit.cli.evidence import verify as command
from audit.evidence.audit_result import Sidecar, read_audit, sidecar, write_audit
from audit.evidence.checks.verify import Link, verify
from audit.evidence.json_file import write_model


@dataclass(frozen=True)
class House:
    """What one round of audit, sanitize, audit leaves behind."""

    model: Path
    clean: Path
    record: Path
    before: Path
    after: Path

    @property
    def all(self) -> list[Path]:
        return [self.model, self.clean, self.record, self.before, self.after]


@pytest.fixture
def house(tmp_path: Path) -> House:
    (tmp_path / "model.pt").write_bytes(b"weights that leak")
    (tmp_path / "clean.pt").write_bytes(b"weights that do not")
    parent, child = sha256(tmp_path / "model.pt"), sha256(tmp_path / "clean.pt")
    made = sanitizing(parent=parent)
    write_model(Sidecar(sha256=child, sanitizing=made), tmp_path / "clean.pt.json")
    write_audit(audit(sha=parent), tmp_path / "before.json")
    after = audit(sha=child, made=made)
    checkpoint = after.checkpoint.model_copy(update={"file": "clean.pt"})
    write_audit(after.model_copy(update={"checkpoint": checkpoint}), tmp_path / "after.json")
    return House(*(tmp_path / name for name in ("model.pt", "clean.pt", "clean.pt.json", "before.json", "after.json")))


def invoked(*paths: Path) -> Result:
    return CliRunner().invoke(command, [str(path) for path in paths], standalone_mode=False)


def broken(links: list[Link]) -> list[str]:
    return [link.says for link in links if link.holds is False]


def test_what_belongs_together_holds_in_every_link(house: House) -> None:
    links = verify(house.all)
    assert [link.holds for link in links] == [True] * 7
    said = "\n".join(link.says for link in links)
    assert f"{house.before} is an audit of {house.model}" in said
    assert f"the checkpoint of {house.after} was made from the one of {house.before}" in said
    assert f"{house.record} is the record of {house.clean}" in said
    result = invoked(*house.all)
    assert result.exception is None and result.output.count("holds") == 7


def one_bit(house: House) -> str:
    content = bytearray(house.clean.read_bytes())
    content[0] ^= 1
    house.clean.write_bytes(content)
    return f"{house.clean} is not the file that {house.after} audited"


def a_figure(house: House) -> str:
    content = json.loads(house.after.read_text(encoding="utf-8"))
    content["findings"][0]["measurement"]["figures"]["balanced_accuracy"]["value"] -= 0.001
    house.after.write_text(json.dumps(content), encoding="utf-8")
    return f"{house.after} was changed after it was written"


def the_parent(house: House) -> str:
    after = read_audit(house.after)
    made = sanitizing(parent="c" * 64)
    write_audit(
        after.model_copy(update={"checkpoint": after.checkpoint.model_copy(update={"sanitizing": made})}), house.after
    )
    return f"the checkpoint of {house.after} was not made from the one of {house.before}"


def the_record(house: House) -> str:
    made = sanitizing(parent=sha256(house.model)).model_copy(update={"method": "leace"})
    write_model(Sidecar(sha256=sha256(house.clean), sanitizing=made), house.record)
    return f"{house.after} quotes another record of its checkpoint than {house.record}"


def the_rows(house: House) -> str:
    before = read_audit(house.before)
    data = before.data.model_copy(update={"fingerprint": "f" * 64})
    write_audit(before.model_copy(update={"data": data}), house.before)
    return "are of different rows and labels"


def a_stranger(house: House) -> str:
    house.model.rename(house.model.with_name("stranger.pt"))
    house.model.with_name("stranger.pt").write_bytes(b"others")
    object.__setattr__(house, "model", house.model.with_name("stranger.pt"))
    return f"{house.model} is named by none of the evidence"


@pytest.mark.parametrize("spoil", [one_bit, a_figure, the_parent, the_record, the_rows, a_stranger])
def test_what_does_not_belong_together_is_named_and_fails(house: House, spoil: Callable[[House], str]) -> None:
    fault = spoil(house)
    links = verify(house.all)
    assert any(fault in said for said in broken(links)), broken(links)
    assert links[0].holds is False, "what is broken stands first"
    result = invoked(*house.all)
    assert "links are broken" in str(result.exception) and "BROKEN" in result.output


def test_the_record_beside_a_checkpoint_is_read_with_it(house: House) -> None:
    without = [path for path in house.all if path != house.record]
    assert verify(without) == verify(house.all)
    house.clean.with_name("program.pt2").write_bytes(b"a program")
    program = house.clean.with_name("program.pt2")
    assert broken(verify([*without, program])) == [
        f"{program} is named by none of the evidence: its SHA-256 is {sha256(program)}"
    ]
    made = sanitizing(parent=sha256(house.model))
    write_model(Sidecar(sha256=sha256(program), sanitizing=made), sidecar(program))
    assert broken(verify([*without, program])) == []


def test_what_the_files_cannot_tell_is_said_to_be_unknown(house: House) -> None:
    links = verify([house.after])
    unknown = [link.says for link in links if link.holds is None]
    assert any("clean.pt" in said and sha256(house.clean) in said for said in unknown)
    assert any(sha256(house.model) in said for said in unknown)
    assert [link.holds for link in links if "as it was written" in link.says] == [True]


def test_old_evidence_alone_verifies_nothing_and_says_so() -> None:
    old = Path(__file__).parents[2] / "support/evidence/audit-1.json"
    assert "BROKEN" in invoked(old).output
    result = CliRunner().invoke(command, [str(old), "--allow-unsealed"], standalone_mode=False)
    assert "carries no digest" in result.output and "Nothing could be verified" in str(result.exception)


def test_a_file_that_is_no_evidence_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"a": 1}', encoding="utf-8")
    for paths in ([tmp_path / "other.json"], [house.model], [tmp_path / "missing.json"], [tmp_path / "no.pt"]):
        message = str(invoked(*paths).exception)
        assert str(tmp_path) in message or "None of the files" in message
        assert "\n" not in message


def programmed(house: House, *, method: str | None = None) -> Path:
    """Write a program beside the sanitized checkpoint, and its record."""
    program = house.clean.with_suffix(".pt2")
    program.write_bytes(b"a program")
    made = sanitizing(parent=sha256(house.model))
    made = made if method is None else made.model_copy(update={"method": method})
    write_model(Sidecar(sha256=sha256(program), sanitizing=made), sidecar(program))
    return program


def test_a_program_and_the_weights_beside_it_must_be_of_one_run(house: House) -> None:
    program = programmed(house)
    for given in (house.all, [*house.all, program], [house.before, house.after, house.model, program]):
        assert f"{program} and {house.clean} are of one run of the sanitizer" in [
            link.says for link in verify(given) if link.holds
        ]
        assert broken(verify(given)) == []
    programmed(house, method="leace")
    assert f"{program} and {house.clean} are of different runs of the sanitizer" in broken(verify(house.all))


@pytest.mark.parametrize("alone", ["program", "weights"])
def test_a_program_or_weights_without_a_record_beside_a_new_one_is_a_broken_link(house: House, alone: str) -> None:
    program = programmed(house)
    bare = program if alone == "program" else house.clean
    sidecar(bare).unlink()
    given = [path for path in house.all if path.is_file()]
    assert f"{program} and {house.clean} stand beside each other, and {bare} has no record" in broken(verify(given))
    assert invoked(*given).exception is not None
