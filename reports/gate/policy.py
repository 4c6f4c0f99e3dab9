"""What an organisation asks of every audit that passes its gate: a TOML file, closed to what it does not know.

private = ["gender", "age"]
limit = 0.05
"""

from os import PathLike
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from audit.errors import EvidenceError, UnknownNameError
from audit.evidence.numbers import one_line
from audit.file_limits import read_toml

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]
Names = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]

STARTER: Final = """\
# A policy for `irene check --policy policy.toml`: what every audit has to show before it passes.
# What is asked here and is not in the evidence is OPEN, exit code 4; --allow-inconclusive does not let it pass.

private = ["gender"]           # attributes that must have been audited
limit = 0.05                   # the largest excess that passes, of balanced accuracy or R²: 5 points

# layers = ["encoder"]         # layers at which each of them must have been audited
# attackers = ["logistic", "products", "mlp", "rbf-svm", "knn", "boosted-trees"]  # that must have run
# data = "<64 digits>"         # fingerprint of the rows, as in the evidence
# rows = 1000                  # least test rows
# class_rows = 100             # least test rows of each class
# groups = 100                 # least groups (people) of the test rows of each attribute
# recovery = 0.33              # least share that the attackers read of the planted leaks that the verdict rests on
# task_drop = 0.02             # largest loss of the task's accuracy since --before
# keep_drop = 0.05             # largest loss of each attribute to keep since --before
# certificate = 0.6            # an upper bound on every attacker, and the largest that passes; true: floor + limit

# [signature]
# key = "keys/auditor.pem"     # the evidence must be signed by this key; its path counts from this file
"""
"""A policy with everything in it, most of it as comments."""


class _Closed(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SignedBy(_Closed):
    """Whose signature the evidence must bear."""

    key: str
    """A public key, PEM; relative to the policy's own folder."""


class Policy(_Closed):
    """What must be in the evidence; None, or an empty list, asks for nothing."""

    private: Names | None = None
    """Attributes that must have been audited as private ones."""
    layers: Names | None = None
    """Layers at which each of them must have been."""
    attackers: Names | None = None
    """Attackers that must have run on each of them."""
    data: str | None = None
    """The fingerprint of the audited rows."""
    rows: Count | None = None
    """Least test rows of each attribute."""
    class_rows: Count | None = None
    """Least test rows of each class."""
    groups: Count | None = None
    """Least groups of the test rows of each attribute; no more than rows that were used."""
    recovery: Share | None = None
    """Least share that the attackers read of the planted leaks that the verdict rests on: of each kind, the largest of
    at most twice the limit."""
    limit: Share | None = None
    """The largest limit that the gate judges by; its own limit where none is typed."""
    task_drop: Share | None = None
    keep_drop: Share | None = None
    """Largest losses since the audit before, as `--task-drop` and `--keep-drop`."""
    certificate: bool | Share | None = None
    """An upper bound on every attacker is asked for: the largest balanced accuracy of it, or `true` for
    one within the floor, as measured, and the limit."""
    signature: SignedBy | None = None

    folder: Path = Field(default=Path(), exclude=True)
    """Where the policy stands."""

    @model_validator(mode="after")
    def _asks_for_something(self) -> Self:
        asked = [getattr(self, name) for name in type(self).model_fields if name != "folder"]
        if all(one is None or one is False for one in asked):
            raise ValueError("it asks for nothing. `irene check --print-policy` prints one to start from")
        return self

    @property
    def key(self) -> Path | None:
        """The public key that must have signed the evidence."""
        return self.folder / self.signature.key if self.signature else None


def read_policy(path: str | PathLike[str]) -> Policy:
    """Read a policy.

    Raises:
        EvidenceError: It cannot be read, is no TOML, or holds a value of another kind.
        UnknownNameError: It asks for something that nobody knows.
    """
    place = Path(path)
    try:
        content = read_toml(place)
    except OSError as error:
        raise EvidenceError(f"Cannot read {place}: {error.strerror}.") from None
    except ValueError as error:
        raise EvidenceError(f"{place} is no policy in TOML: {' '.join(str(error).split())}. Correct it.") from None
    _refuse_unknown(place, content)
    try:
        return Policy.model_validate({**content, "folder": place.parent})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(one) for one in first["loc"])
        raise EvidenceError(
            f"{place} is no policy: {where + ': ' if where else ''}{first['msg'].removeprefix('Value error, ')}. "
            "Correct it; irene check --print-policy shows the form."
        ) from None


def _refuse_unknown(path: Path, content: dict[str, object]) -> None:
    known = [name for name in Policy.model_fields if name != "folder"]
    signature = content.get("signature")
    inner = [name for name in signature if name != "key"] if isinstance(signature, dict) else []
    for names, allowed, where in (([*content], known, ""), (inner, ["key"], " under [signature]")):
        if unknown := [name for name in names if name not in allowed]:
            raise UnknownNameError(f"key{where} of the policy {path}", one_line(unknown[0]), allowed)
