"""Which removal methods there are: a new one is its own file beside this one, and its line in the table."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import cast, get_args, get_type_hints

from audit.data.labelled import LabelledData
from audit.errors import IreneError, require_flag, require_number
from audit.evidence.method_card import MethodCard
from audit.model.structure.scores import Answer
from audit.plugins import call, resolve
from sanitizer.methods.base import Method, TaskKind

METHODS = {
    "kernel": "sanitizer.methods.kernel:Kernel",
    "rich": "sanitizer.methods.rich:Rich",
    "irene": "sanitizer.methods.irene:Irene",
    "codebook": "sanitizer.methods.codebook:Codebook",
    "pairs": "sanitizer.methods.pairs:Pairs",
    "map": "sanitizer.methods.nonlinear_map:NonlinearMap",
    "end": "sanitizer.methods.debiasing.end:EnD",
    "gradient-reversal": "sanitizer.methods.gradient_reversal:GradientReversal",
    "leace": "sanitizer.methods.leace:Leace",
    "learned-mixin": "sanitizer.methods.debiasing.learned_mixin:LearnedMixin",
    "lff": "sanitizer.methods.debiasing.lff:LfF",
    "rebias": "sanitizer.methods.debiasing.rebias:ReBias",
    "rubi": "sanitizer.methods.debiasing.rubi:Rubi",
    "plain": "sanitizer.methods.plain:Plain",
}

NEED_TASK = ("codebook", "end", "learned-mixin", "lff", "plain", "rebias", "rubi")
"""Methods that work by the task's classes, or do nothing else than train on it."""

NEED_TRUE_TASK = ("end", "learned-mixin", "lff", "rebias", "rubi")
"""Methods that learn the task anew, against what the model answers now."""


LARGEST_SETTING = 1e6
"""Of any number that a method takes: a weight of more leaves nothing of the other terms in float32."""
ENOUGH = 1_280
"""Independent rows from which on pairs are the release that keeps more than the label: of sixty-four words each has as
many rows as the shares of classes in it take to be estimated."""


@dataclass(frozen=True)
class Choice:
    """The release that nobody named."""

    method: str
    why: str
    """In a clause: for which reason, and what it gives up."""


def release_for(keep: Sequence[str], kind: TaskKind | None, rows: int) -> Choice:
    """Return the release for what a model is for.

    Args:
        keep: Attributes to retain.
        kind: Of the task; None without one.
        rows: Independent ones that may fit it.
    """
    if kind is None:
        told = "no --task: as many dimensions pass as the rows can clean; what does not fit into them is given up"
        return Choice("map", f"{told}, and there is no bound")
    if kind == "quantity":
        told = f"a task that is a quantity{'' if keep else ', no --keep'}: few dimensions pass"
        return Choice("rich", f"{told}; what is neither the task nor named is given up, and there is no bound")
    if not keep:
        return Choice("codebook", "no --keep: the label is released, and everything else is given up, with a bound")
    if rows >= ENOUGH:
        told = "--keep names what must stay readable: words pass that every private class says about equally often"
        return Choice(
            "pairs",
            f"{told}, with a bound; --method map or rich may keep more, without one; irene plan tells how many --words "
            "an audit could bound, 64 at most if left out",
        )
    told = f"--keep names what must stay readable, and {rows} rows are too few for a code of it: few dimensions pass"
    return Choice("rich", f"{told}; what is not named is given up, and there is no bound")


def require_without_task(method: Method) -> None:
    """Raise an IreneError for a method of irene's own that works by a task's classes."""
    place = f"{type(method).__module__}:{type(method).__qualname__}"
    for name in NEED_TASK:
        if METHODS[name] == place:
            others = ", ".join(one for one in METHODS if one not in NEED_TASK)
            raise IreneError(
                f"The method {name} works by the classes of a task, and no task was named. Name one with --task, or "
                f"choose a method that does without: {others}."
            )


def task_kind(answer: Answer) -> TaskKind:
    """Return what kind of a task a model answers."""
    return "quantity" if answer.classes is None else "ordinal" if answer.is_ordinal else "classes"


def require_teachable(method: Method, unlabelled: LabelledData, task: str | None, keep: Sequence[str]) -> None:
    """Raise an IreneError for a method that works by labels of unlabelled rows which no teacher gives."""
    place = f"{type(method).__module__}:{type(method).__qualname__}"
    name = next((one for one in METHODS if METHODS[one] == place), None)
    lacks = [
        one
        for one in [*([task] if task else []), *keep]
        if one not in unlabelled.columns or not unlabelled.columns[one].known.all()
    ]
    if name == "plain":
        raise IreneError("The method plain removes nothing, so it needs no private labels. Leave --unlabelled out.")
    if name in NEED_TRUE_TASK and task in lacks:
        raise IreneError(
            f"The method {name} learns {task!r} anew, and of {unlabelled.name} only the model's own answers would tell "
            "it. Give these rows their task's labels, or leave --unlabelled out."
        )
    if name is None and (kept := [one for one in keep if one in lacks]):
        raise IreneError(
            f"{unlabelled.name} does not say {kept[0]!r} of every row, and the method {type(method).__name__} is not "
            "known to do without. Add the column, or leave --keep or --unlabelled out."
        )


def require_task_kind(method: Method, answer: Answer | None) -> None:
    """Raise an IreneError for a method that cannot train a task of this kind."""
    if answer is None:
        return
    kind = task_kind(answer)
    if kind not in (kinds := getattr(method, "tasks", ("classes",))):
        place = f"{type(method).__module__}:{type(method).__qualname__}"
        named = next((name for name in METHODS if METHODS[name] == place), type(method).__name__.lower())
        fact = "is a quantity" if kind == "quantity" else "is of ordered classes with thresholds between them"
        others = ", ".join(name for name in METHODS if kind in getattr(resolve(name, "method", METHODS), "tasks", ()))
        raise IreneError(
            f"The method {named} trains tasks of {' and '.join(kinds)}, and {answer.task!r} {fact}. Choose one that "
            f"can (--method {others}), or leave --task out: how alike the model's vectors are is kept then."
        )


def make_method(name: str, options: Mapping[str, object]) -> Method:
    """Return a method with the user's settings; an IreneError if the name makes none, or not with these settings."""
    named = resolve(name, "method", METHODS)
    try:
        made = call(named, options, f"method {name}")
    except (TypeError, ValueError) as error:
        raise IreneError(
            f"Method {name} cannot be made with {dict(options)}: {str(error).rstrip('.')}. Give its settings."
        ) from None
    return as_method(made, f"{name} gave")


def as_method(made: object, what: str) -> Method:
    """Return what a user gave, or a name made, as a method; raise an IreneError that begins by `what` if it is none."""
    if isinstance(made, type) or not is_dataclass(made) or not {"weight", "start"} <= set(dir(made)):
        raise IreneError(
            f"{what} a {type(made).__name__}, not a method. Name a dataclass with `weight` and `start`, "
            "as sanitizer.methods.base describes it."
        )
    method = cast(Method, made)
    _require_settings(method)
    card_of(method)  # fails here, before any work, on a card that is none
    return method


def _require_settings(method: Method) -> None:
    """Raise an IreneError for a setting of one of METHODS that is no number, flag or word of its kind."""
    if not type(method).__module__.startswith("sanitizer.methods."):
        return
    kinds = get_type_hints(type(method))
    for name in (one.name for one in fields(method)):  # type: ignore[arg-type]  # as_method asks for a dataclass
        value, kind = getattr(method, name), get_args(kinds[name]) or (kinds[name],)
        if value is None and type(None) in kind:
            continue
        if bool in kind:
            require_flag(name, value)
        elif int in kind or float in kind:
            require_number(name, value, 1 if int in kind else 0, whole=int in kind)
            if value > LARGEST_SETTING:
                raise IreneError(f"{name} is {value}. Give at most {LARGEST_SETTING:,.0f}.")
        elif value not in kind:
            raise IreneError(f"{name} is {value!r}. Give one of {', '.join(sorted(map(str, kind)))}.")


def card_of(method: Method) -> MethodCard | None:
    """Return the card that the method's module declares as `CARD`; None where it declares none."""
    module = type(method).__module__
    card = vars(sys.modules[module]).get("CARD")
    if card is None or isinstance(card, MethodCard):
        return card
    raise IreneError(
        f"CARD in {module} is a {type(card).__name__}. Make it an audit.evidence.method_card.MethodCard, or remove it."
    )
