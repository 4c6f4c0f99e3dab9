"""Evidence that tests share: one of every kind of page, and the same with any text in the place of every string."""

from collections.abc import Callable, Mapping
from functools import cache
from itertools import product
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, TypeAdapter, ValidationError

from audit.evidence.audit_result import AuditResult, Epoch
from audit.evidence.findings import AttackerResult, Estimate, Finding
from audit.evidence.watched import Watched
from support.findings import (
    ATTACKERS,
    VIEWS,
    around,
    audit,
    certified,
    continuous,
    exposing,
    leakage,
    lying,
    of_classes,
    powered,
    readable,
    regression,
    remeasured,
    sanitizing,
    task_less,
    whole,
    with_where,
)
from support.gates import founded

Pair = tuple[AuditResult, AuditResult | None]
Model = TypeVar("Model", bound=BaseModel)

FRAGMENTS = {
    "a script": "</script><script>alert(1)</script>",
    "quotes": "\"'`” onmouseover=alert(1) x='",
    "a handler": '<svg onload=alert(1)><img src=x onerror="alert(1)"><b onclick=x>',
    "a comment": "<!-- --> ]]> <![CDATA[ <?xml ?> &amp; &lt;b&gt; &#x202e;",
    "a template": "{{ 7 * 7 }} {% raw %} {# #} ${7} #{7}",
    "directions": "\u202eevil\u2066\u2067\u061c",
    "NUL and control": "a\x00b\x1b[31mred\x07\x7f\x85",
    "a lone surrogate": "a\ud800b\udc80",
    "beyond Unicode's characters": "\uffff\ufffe\U0001ffff",
    "lines": "one\ntwo\r\n\r\n# three\n\n---\n- four\n\n    five\u2028six\u2029",
    "a table": "| a | b |\n|---|---|\n| c \\",
    "a link": "[click](javascript:alert(1)) ![x](https://example.org/x.png) <https://example.org> https://example.org",
    "marks": "**bold** _slant_ ~~gone~~ `code` ``` $x_1$ <br> \\",
    "a call": "@everyone #1 GH-2 owner/name@0123456789abcdef0123456789abcdef01234567",
    "emoji": "🙂👩\u200d👩\u200d👧\u200d👦🏳️\u200d🌈",
    "long": "W" * 10_000,
    "long words": "wide word " * 1_000,
    "numbers": "[  1,   2  ] 007 1e999 -0",
    "spaces": "  \t \u00a0 ",
    "nothing": "",
}
"""What a name may hold, by what it attacks."""
HOSTILE = "".join(text for name, text in FRAGMENTS.items() if not name.startswith("long"))


def one() -> Pair:
    """Return one audit alone, of a model as its maker left it."""
    return audit(), None


def pair() -> Pair:
    """Return before and after with everything in them: layers, kinds of attributes, maps, bounds, and warnings."""
    return everything(), everything(after=True)


def undecided() -> Pair:
    """Return one audit whose rows cannot tell, of embeddings without a task."""
    reason = "The interval of the excess holds the limit. About 9,000 test rows would settle it."
    found = leakage(read=0.16, verdict="INCONCLUSIVE", half=0.06, reason=reason)
    of_guess = remeasured(
        found, floor={"balanced_accuracy": around(0.1, 0), "bits": around(0, 0)}, excess=around(0.06, 0.063)
    )
    return task_less().model_copy(update={"findings": [whole(of_guess)]}), None


def largest() -> Pair:
    """Return before and after of 20 attributes at 12 layers, each read by 10 attackers and their committee."""
    attributes = [f"wearing glasses {number}" for number in range(20)]
    layers = [f"encoder.layers.{number}.output" for number in range(12)]
    places = list(product(attributes, layers))
    before = [_large(*place, 0.40) for place in places]
    after = [_large(*place, (0.40, 0.16, 0.13)[number % 3]) for number, place in enumerate(places)]
    return audit(*before), audit(*after, sha="a" * 64, made=sanitizing(head=None))


def hostile() -> Pair:
    """Return before and after with everything in them, and every text an attack."""
    before, after = everything(), everything(after=True)
    return reworded(before, around_word(HOSTILE)), reworded(after, around_word(HOSTILE))


KINDS: Mapping[str, Callable[[], Pair]] = {
    "one audit": one,
    "before and after": pair,
    "INCONCLUSIVE": undecided,
    "largest": largest,
    "hostile": hostile,
}


def everything(*, after: bool = False) -> AuditResult:
    """Return an audit that shows all that a page can: three verdicts, three layers, kept attributes, bounds, counts."""
    read = 0.40 if after else 0.58
    able = founded(leakage(read=0.13 if after else 0.44, layer="features.9"))
    counts = {"missing": 40, "left_out": {"8 & red": 3}, "projected_from": 25_088}
    open_ = leakage("left-handed", 0.55, "INCONCLUSIVE", classes=("no", "yes"), half=0.06,
                    reason="About 9,000 test rows would settle it.")  # fmt: skip
    trace = [Epoch(task_loss=0.5 / epoch, penalty={"colour": 0.2}, task_accuracy=0.9, fresh={"colour": 0.2})
             for epoch in range(1, 6)]  # fmt: skip
    made = sanitizing().model_copy(update={"trace": trace, "chosen": 3, "release": "map"})
    result = audit(
        remeasured(with_where(lying(exposing(powered(leakage(read=read)))), 0.12 if after else 0.31), **counts),
        certified(able, most=0.2 if after else 0.5),
        certified(
            lying(exposing(powered(with_where(open_, 0.04), gain=0.02, quadratic=0.1)), apart=2.0 if after else 3.0),
            most=0.6,
        ),
        powered(continuous(read=0.20 if after else 0.43)),
        remeasured(readable(read=0.86 if after else 0.88, auroc=0.91 if after else 0.93), at_best=around(0.92)),
        regression(read=0.55 if after else 0.61),
        sha="a" * 64 if after else "b" * 64,
        made=made if after else None,
        watched=[
            _watched(name, read, best)
            for name, read, best in (
                ("hat", 0.71 if after else 0.80, around(0.74)),
                ("beard", 0.52 if after else 0.90, around(0.50, 0.02)),
                ("necktie", 0.60 if after else 0.61, None),
            )
        ],
        warnings=["One attacker did not run.", "No group column was given." if after else "Few rows of class 8."],
    )
    loaded = {"pickle_ran": True, "format": "pickled module", "weights_key": "state_dict"}
    told = result.model_copy(
        update={
            "data": result.data.model_copy(update={"rows": 8_100, "unreadable": 12, "copies": 34}),
            "task": result.task and result.task.model_copy(update={"missing": 56}),
            "checkpoint": result.checkpoint.model_copy(update=loaded),
        }
    )
    return AuditResult.model_validate(told.model_dump())  # as it is read from a file: small cells withheld


def _watched(name: str, read: float, best: Estimate | None) -> Watched:
    return Watched(attribute=name, layer="features.7", metric="auroc", attacker="logistic on whitened",
                   figure=around(read), at_best=best, rows=1999)  # fmt: skip


def _large(attribute: str, layer: str, read: float) -> Finding:
    """Return one attribute at one layer, as the five attackers on two views and their committee find it."""
    attackers = [
        AttackerResult(name=name, view=view, select=read - 0.01 * i,
                       figures=of_classes(around(read - 0.01 * i), around(0.9 - 0.03 * i), around(1.2 - 0.1 * i, 0.08)))
        for i, (name, view) in enumerate([*product(ATTACKERS, VIEWS), ("committee", "5 of 10")])
    ]  # fmt: skip
    found = leakage(attribute, read, layer=layer)
    figures = found.measurement.figures | {"excess": found.measurement.excess}
    drawn = {name: _draws(figures[name]) for name in ("balanced_accuracy", "auroc", "excess")}
    changed = remeasured(found, attackers=attackers, strongest="logistic on standardised", draws=drawn)
    return certified(founded(lying(exposing(powered(changed)))))


def _draws(figure: Estimate) -> list[float]:
    """Return a figure on each of the thousand resamples that an audit takes."""
    return [round(figure.low + (figure.high - figure.low) * (number % 97) / 96, 4) for number in range(1000)]


def around_word(text: str) -> Callable[[str], str]:
    """Return what sets `text` on both sides of a word, so that different words stay different."""
    return lambda word: f"{text}{word}{text}"


BY_FIGURE = {"figures", "floor", "baseline", "draws"}
"""Fields whose keys are names of figures: a closed list."""
LONGEST = 200
"""Characters of a method's description on its card."""


def reworded(value: Model, word: Callable[[str], str]) -> Model:
    """Return the same evidence with `word` done to every string in it, keys of mappings too.

    A field that does not take any text, such as a verdict, stays. `name on view` stays a reference: its two parts
    are changed as the names that they refer to.
    """
    changed = {}
    for name, field in type(value).model_fields.items():
        old = getattr(value, name)
        kind = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        is_open = _holds_models(old) or _takes_words(kind, old)
        is_open &= not (name in BY_FIGURE and isinstance(old, dict))
        new = _reworded(old, word) if is_open else old
        changed[name] = new[:LONGEST] if name == "description" and isinstance(new, str) else new
    return value.model_copy(update=changed)


def _reworded(old: Any, word: Callable[[str], str]) -> Any:
    match old:
        case BaseModel():
            return reworded(old, word)
        case str():
            return " on ".join(map(word, old.split(" on ")))
        case dict():
            return {_reworded(key, word): _reworded(one, word) for key, one in old.items()}
        case list() | tuple():
            return type(old)(_reworded(one, word) for one in old)
        case _:
            return old


def _holds_models(value: object) -> bool:
    """Whether the words, if any, are in fields of its own, which are asked in their turn."""
    return isinstance(value[0] if isinstance(value, list) and value else value, BaseModel)


def _takes_words(kind: Any, old: object) -> bool:
    """Whether a field takes its value with any other word in the place of each string."""
    try:
        _adapter(kind).validate_python(_reworded(old, lambda word: f"any {word}"))
    except ValidationError:
        return False
    return True


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)
