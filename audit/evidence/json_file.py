"""The files of the evidence: JSON with sorted keys, whole or not at all, under a digest of all of it.

Values are immutable and closed to fields that they do not know. No figure is NaN or infinite: one that could not be
taken is null. Where files lie on the auditor's machine is cut from every text, as it is made and as it is read.
"""

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from audit.atomic_write import write_whole
from audit.errors import EvidenceError
from audit.file_limits import read_json_bytes

Model = TypeVar("Model", bound=BaseModel)
Upgrade = Callable[[dict[str, object]], dict[str, object]]
"""Makes the JSON of one version that of the next."""

DIGEST = "digest"
MOST_DIGITS = 16
"""Of a count: more are no number of rows, and a float cannot hold them."""
UNSEALED = (
    "This evidence carries no digest, so an edit of it could not be seen; it was read by --allow-unsealed, on the word "
    "of who gave it."
)
SMALL = 10
"""A count of rows below this could single people out."""
_ABSOLUTE = re.compile(
    r"""(?P<quote>['"])(?P<quoted>(?:~?/|[A-Za-z]:\\)[^'"]++)(?P=quote)"""
    r"""|(?:(?<![\w.~/\\-])|(?<=\s-[A-Za-z]))(?:~?/(?:[^\s/'":;,]++/)++|[A-Za-z]:\\(?:[^\s\\'":;,]++\\)++)[^\s/\\'":;,]*+"""
)
"""An absolute path in a text, in quotes or not."""
_CODE = re.compile(r"""(?<![^\s'":;,])[^\s'":;,]++(?<=\.py)(?=:\w)""")
"""The `file.py` of a `file.py:factory`, with its folders and what stands before them."""
_FOLDERS, _BEGINS = re.compile("[^/=]{1,255}+(?:/[^/=]{1,255}+)*+"), re.compile(r"(?<![\w.~/\\-])[^/]")
"""Its folders, from the last letter to the first, and where a path can begin."""
_LONGEST = 258
"""Letters of the name of such a file."""
_OWN_FOLDERS = re.compile(r"(?<![^,=])[^,=]*[/\\](?=[^,=/\\])")
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u061c\ufeff\ufff0-\ufffb\U000e0000-\U000e0fff]")
_NUMBERS = re.compile(r"\[\n\s++(?:(?:-?\d[\d.e+-]*+|null)(?:,\n\s++)?+)++\n\s*+\]")
"""A list of numbers over several lines; no JSON string holds a line break."""


def _known(value: object) -> object:
    return None if isinstance(value, float) and math.isnan(value) else value


def without_places(text: str) -> str:
    """Return a text with each absolute path in it, which can name a person or a client, cut to the file's own name."""
    parts, end = list[str](), 0
    for start, stop, name in sorted([*_code(text), *_absolute(text)], key=lambda place: place[0]):
        if start >= end:
            parts += text[end:start], name
            end = stop
    return "".join([*parts, text[end:]])


def without_folders(text: str) -> str:
    """Return a text of paths, with commas between them or a name and `=` before each, cut to the last name of each."""
    return _OWN_FOLDERS.sub("", text.rstrip("/\\") or text)


def _absolute(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each absolute path begins and ends, and the name of its file."""
    for found in _ABSOLUTE.finditer(text):
        quote = found["quote"] or ""
        yield *found.span(), quote + _name(found["quoted"] or found.group()) + quote


def _code(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the same of each file of code; each word is looked at once from its end, for any length of it."""
    for word in _CODE.finditer(text):
        folders, slash, name = word.group().rpartition("/")
        held = _FOLDERS.match(folders[::-1])
        if not (slash and held and len(".py") < len(name) <= _LONGEST):
            continue
        end = word.start() + len(folders)
        if begin := _BEGINS.search(text, end - len(held.group()), end):
            yield begin.start(), word.end(), _name(text[begin.start() : word.end()])


def _name(path: str) -> str:
    return (PureWindowsPath(path) if "\\" in path else PurePosixPath(path)).name


def without_small_cells(counts: dict[str, int | None]) -> dict[str, int | None]:
    """Return counts of rows with those below SMALL withheld, and one more where the rest would tell a withheld one.

    Where no other is beside it, rows of larger classes were left out with it, so that their number does not tell it.
    """
    withheld = {name for name, count in counts.items() if count is None or count < SMALL}
    others = sorted((count, name) for name, count in counts.items() if count is not None and name not in withheld)
    if len(withheld) == 1 and others:
        withheld.add(others[0][1])
    return {name: None if name in withheld else count for name, count in counts.items()}


Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(allow_inf_nan=False, ge=0, le=1)]
MaybeNumber = Annotated[Number | None, BeforeValidator(_known)]
Text = Annotated[str, AfterValidator(without_places)]
"""Words that may hold a path."""
Options = dict[str, Text | int | float | bool | None]
Cells = Annotated[dict[str, int | None], AfterValidator(without_small_cells)]
"""Rows of each of some classes; null where the count is withheld."""


class Frozen(BaseModel):
    """A value: immutable, and closed to fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


def as_json(value: BaseModel) -> bytes:
    """Return a value as indented JSON with sorted keys, each list of numbers on one line, in UTF-8."""
    text = json.dumps(value.model_dump(mode="json"), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    text = _NUMBERS.sub(lambda found: re.sub(r"\n\s*", " ", found.group()), text) + "\n"
    text = text.encode("utf-8", errors="replace").decode()  # a lone surrogate in a name
    return "\n".join(map(escaped, text.split("\n"))).encode()


def escaped(text: str) -> str:
    """Return JSON with what a reader cannot see, or what would turn a line round, as JSON escapes: the same data."""
    return text if text.isprintable() else _UNSEEN.sub(lambda found: json.dumps(found.group())[1:-1], text)


def write_model(value: BaseModel, path: Path) -> None:
    """Write a value as JSON, whole or not at all."""
    write_whole(path, as_json(value))


def digest(content: Mapping[str, Any]) -> str:
    """Return the SHA-256 over JSON content but its own digest: one changed figure changes it, layout does not."""
    rest = {key: value for key, value in content.items() if key != DIGEST}
    return hashlib.sha256(json.dumps(rest, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def sealed(value: Model) -> Model:
    """Return a value that has a digest with the one of all the rest of it."""
    return value.model_copy(update={DIGEST: digest(json.loads(as_json(value)))})


def read_json(path: Path, what: str) -> dict[str, Any]:
    """Read a file that holds one JSON object, each key once and every number finite, or raise an EvidenceError."""
    try:
        found = json.loads(
            read_json_bytes(path),
            parse_constant=_refuse,
            parse_int=_whole,
            parse_float=_finite,
            object_pairs_hook=_each_once,
        )
    except OSError as error:
        raise EvidenceError(f"Cannot read {path}: {error.strerror}.") from None
    except (ValueError, RecursionError) as error:
        raise EvidenceError(
            f"{path} is not {what}: {error if isinstance(error, ValueError) else 'it is nested too deep'}. "
            "Run the command that wrote it again."
        ) from None
    if not isinstance(found, dict):
        raise EvidenceError(f"{path} is not {what}: it holds no JSON object. Run the command that wrote it again.")
    return found


def parse(
    model: type[Model], path: Path, what: str, version: str, upgrades: Mapping[str, Upgrade] | None = None
) -> Model:
    """Read `what`, one JSON file, into a model, upgraded from an older version, or raise an EvidenceError.

    Nothing is converted: a number as text, or true for 1, is refused.
    """
    return parsed(model, read_json(path, what), path, what, version, upgrades)


def parsed(
    model: type[Model],
    content: dict[str, Any],
    path: Path,
    what: str,
    version: str,
    upgrades: Mapping[str, Upgrade] | None = None,
) -> Model:
    """Return what was read of `path` as a model, as `parse` does."""
    upgrades = upgrades or {}
    try:
        while isinstance(older := content.get("schema_version"), str) and older in upgrades:
            content = upgrades[older](content)
    except EvidenceError as error:
        raise EvidenceError(f"{path} is not {what}: {error}") from None
    try:
        return model.model_validate(content, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"] if part != "") + ": " if first["loc"] else ""
        raise EvidenceError(
            f"{path} is not {what} that this version reads (schema {version}): {place}{first['msg']}. "
            "Run the command that wrote it again."
        ) from None


def require_digest(content: Mapping[str, Any], path: Path, first_with_one: str, *, allow_unsealed: bool) -> str | None:
    """Hold content against its own digest; return why none is there where that is allowed, or None.

    Versions before `first_with_one` have none, so nothing tells one of them from an edit of a newer file: they are read
    where that is asked for, and every output says so.

    Raises:
        EvidenceError: The digest is of other content, or there is none and it is not allowed, or its schema has one.
    """
    noted, version = content.get(DIGEST), content.get("schema_version")
    if noted is not None:
        if noted == digest(content):
            return None
        raise EvidenceError(
            f"{path} was changed after it was written: its digest is of other content. Run the command that wrote it "
            "again."
        )
    has_none = isinstance(version, str) and version.isdecimal() and int(version) < int(first_with_one)
    if has_none and allow_unsealed:
        return UNSEALED
    way_out = f"; evidence of schema {version} has none: --allow-unsealed reads it, and says so" if has_none else ""
    raise EvidenceError(
        f"{path} carries no digest, so an edit of it could not be seen. Run the command that wrote it again{way_out}."
    )


def _each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice[:MOST_DIGITS]!r} stands twice in one object")
    return content


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"{digits[:MOST_DIGITS]}… is no count")
    return int(digits)


def _finite(digits: str) -> float:
    return value if math.isfinite(value := float(digits)) else _refuse(digits[:MOST_DIGITS])


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no figure")
