"""Whether evidence still belongs to the files that it names: every hash is computed anew.

An audit names its checkpoint, a sanitized checkpoint its parent, and each evidence file a digest of itself. These are
hashes and no signatures: they find a mix-up and an edit, not somebody who edits the digest too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from audit.atomic_write import sha256
from audit.errors import EvidenceError
from audit.evidence.audit_result import (
    FIRST_SEALED,
    AuditResult,
    Sidecar,
    parsed_audit,
    read_sidecar,
    sidecar,
)
from audit.evidence.checks.contradictions import contradictions
from audit.evidence.json_file import read_json, require_digest
from audit.evidence.signature import SUFFIX, envelope_of, require_signature

PROGRAM = ".pt2"
CHECKPOINTS = (".pt", ".pth", ".safetensors", ".npz", ".npy")
"""How a program, and the checkpoint or the vectors that it belongs to, are named."""
WHAT = "an audit's evidence or a sanitizer's record"


@dataclass(frozen=True)
class Link:
    """One thing that should hold between the files."""

    holds: bool | None
    """None where the files given cannot tell."""
    says: str
    """What holds, what does not, or what is missing to tell."""


@dataclass(frozen=True)
class _Audit:
    path: Path
    content: dict[str, Any]
    result: AuditResult

    @property
    def name(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class _Files:
    audits: tuple[_Audit, ...]
    records: tuple[tuple[str, Sidecar], ...]
    checkpoints: dict[str, str]
    """SHA-256 of each file that is no JSON, by its path."""

    def path_of(self, sha256: str) -> str | None:
        return next((path for path, digits in self.checkpoints.items() if digits == sha256), None)


def verify(paths: Sequence[Path], *, allow_unsealed: bool = False, key: Path | None = None) -> list[Link]:
    """Return every link between `.json` evidence, checkpoints and the records beside them, and whether it holds.

    Evidence of a schema that had no digest yet is a broken link, or an unknown one if `allow_unsealed`. With a public
    `key`, every file given must be signed by it.
    """
    envelopes = [path for path in paths if path.name.endswith(SUFFIX)]
    paths = [path for path in paths if path not in envelopes]
    files = _read([*paths, *_beside(paths)])
    links = [
        *(link for one in files.audits for link in _whole(one, allow_unsealed)),
        *(link for one in files.audits for link in _checkpoint(one, files)),
        *(link for one in files.audits for link in _parent(one, files)),
        *(_record(name, record, files) for name, record in files.records),
        *(_rows(one, other) for one, other in pairwise(files.audits)),
        *_pairs(files),
        *_unnamed(files),
        *_signed(paths, envelopes, key),
    ]
    return sorted(links, key=lambda link: (link.holds is not False, link.holds is None))


def _read(paths: Sequence[Path]) -> _Files:
    audits, records, checkpoints = [], [], {}
    for path in dict.fromkeys([*paths, *filter(Path.is_file, map(sidecar, paths))]):
        if path.suffix.lower() != ".json":
            try:
                checkpoints[str(path)] = sha256(path)
            except OSError as error:
                raise EvidenceError(f"Cannot read {path}: {error.strerror}.") from None
            continue
        content = read_json(path, WHAT)
        if {"findings", "leakage"} & content.keys():  # of this schema, or an older one
            audits.append(_Audit(path, content, parsed_audit(content, path, WHAT)))
        elif "sanitizing" in content:
            records.append((str(path), read_sidecar(path)))
        else:
            raise EvidenceError(f"{path} is not {WHAT}. Leave it out.")
    if not audits and not records:
        raise EvidenceError(f"None of the files is {WHAT}. Name one, for instance out/after.json.")
    return _Files(tuple(audits), tuple(records), checkpoints)


def _whole(one: _Audit, allow_unsealed: bool) -> Iterator[Link]:
    """Check the evidence against its own digest, and its figures against each other."""
    try:
        unsealed = require_digest(one.content, one.path, FIRST_SEALED, allow_unsealed=allow_unsealed)
    except EvidenceError as error:
        yield Link(False, str(error).removesuffix("."))
    else:
        yield (
            Link(None, f"{one.name} carries no digest, so an edit of it cannot be seen")
            if unsealed
            else Link(True, f"{one.name} is as it was written")
        )
    for fault in contradictions(one.result):
        yield Link(False, f"{one.name} contradicts itself on {fault}")


def _checkpoint(one: _Audit, files: _Files) -> Iterator[Link]:
    """Check the audited file against the files given."""
    audited = one.result.checkpoint
    if found := files.path_of(audited.sha256):
        yield Link(True, f"{one.name} is an audit of {found}")
    elif alike := [path for path in files.checkpoints if Path(path).name == audited.file]:
        yield Link(False, f"{alike[0]} is not the file that {one.name} audited: its SHA-256 is another")
    elif audited.format == "live object":
        yield Link(None, f"{one.name} audited a model in memory, which is no file that could be hashed")
    else:
        yield Link(None, f"{one.name} is an audit of {audited.file}, SHA-256 {audited.sha256}, which was not given")


def _parent(one: _Audit, files: _Files) -> Iterator[Link]:
    """Check what a sanitized checkpoint says that it was made from."""
    made = one.result.checkpoint.sanitizing
    if made is None:
        return
    others = [other for other in files.audits if other is not one]
    for other in others:
        if other.result.checkpoint.sha256 == made.parent_sha256:
            yield Link(True, f"the checkpoint of {one.name} was made from the one of {other.name}")
            return
    if found := files.path_of(made.parent_sha256):
        yield Link(True, f"the checkpoint of {one.name} was made from {found}")
    elif before := [other.name for other in others if other.result.checkpoint.sanitizing is None]:
        yield Link(False, f"the checkpoint of {one.name} was not made from the one of {', '.join(before)}")
    else:
        parent = f"SHA-256 {made.parent_sha256}, which was not given"
        yield Link(None, f"the checkpoint of {one.name} was made from {parent}")


def _record(name: str, record: Sidecar, files: _Files) -> Link:
    """Check a sanitizer's record against the checkpoint, and against what an audit quotes of it."""
    audits = [one for one in files.audits if one.result.checkpoint.sha256 == record.sha256]
    for one in audits:
        if one.result.checkpoint.sanitizing != record.sanitizing:
            return Link(False, f"{one.name} quotes another record of its checkpoint than {name}")
    if found := files.path_of(record.sha256) or next((one.name for one in audits), None):
        return Link(True, f"{name} is the record of {found}")
    if str(Path(name).with_suffix("")) in files.checkpoints:
        return Link(False, f"{name} is not the record of {Path(name).with_suffix('')}: it names another SHA-256")
    return Link(None, f"{name} is the record of SHA-256 {record.sha256}, which was not given")


def _rows(one: _Audit, other: _Audit) -> Link:
    """Check that two audits saw the same rows."""
    alike = one.result.data.fingerprint == other.result.data.fingerprint
    return Link(alike, f"{one.name} and {other.name} are of {'the same' if alike else 'different'} rows and labels")


def _unnamed(files: _Files) -> Iterator[Link]:
    """Find checkpoints that nothing here speaks of."""
    named = {record.sha256 for _, record in files.records}
    for audited in [one.result.checkpoint for one in files.audits]:
        named |= {audited.sha256} | ({audited.sanitizing.parent_sha256} if audited.sanitizing else set())
    named |= {record.sanitizing.parent_sha256 for _, record in files.records}
    names = {one.result.checkpoint.file for one in files.audits}
    for path, digits in files.checkpoints.items():
        if digits not in named and Path(path).name not in names:
            yield Link(False, f"{path} is named by none of the evidence: its SHA-256 is {digits}")


def _beside(paths: Sequence[Path]) -> Iterator[Path]:
    """Yield the program beside each checkpoint, `clean.pt2` beside `clean.pt`, or the other way; one has a record."""
    for path in paths:
        others = CHECKPOINTS if path.suffix == PROGRAM else (PROGRAM,) if path.suffix in CHECKPOINTS else ()
        for other in map(path.with_suffix, others):
            if other.is_file() and (sidecar(other).is_file() or sidecar(path).is_file()):
                yield from (other, *filter(Path.is_file, [sidecar(other)]))


def _pairs(files: _Files) -> Iterator[Link]:
    """Check that a program and the checkpoint beside it were left by one run of the sanitizer."""
    records = {Path(name).with_suffix(""): record.sanitizing for name, record in files.records}
    for program in (Path(path) for path in files.checkpoints if Path(path).suffix == PROGRAM):
        for weights in map(program.with_suffix, CHECKPOINTS):
            if str(weights) not in files.checkpoints or not {program, weights} & records.keys():
                continue
            alone = next((one for one in (program, weights) if one not in records), None)
            if alone:
                yield Link(False, f"{program} and {weights} stand beside each other, and {alone} has no record")
            elif records[program] != records[weights]:
                yield Link(False, f"{program} and {weights} are of different runs of the sanitizer")
            else:
                yield Link(True, f"{program} and {weights} are of one run of the sanitizer")


def _signed(paths: Sequence[Path], envelopes: Sequence[Path], key: Path | None) -> Iterator[Link]:
    """Check each file against the signatures, those given and those beside the files."""
    there = [*envelopes, *filter(Path.exists, map(envelope_of, paths))]
    if key is None:
        yield from (Link(None, f"{path} is a signature, which --key checks") for path in dict.fromkeys(there))
        return
    for path in paths:
        try:
            require_signature([path], key, there)
        except EvidenceError as error:
            yield Link(False, str(error).removesuffix("."))
        else:
            yield Link(True, f"{path} is signed by {key}")
