"""Audit, sanitize and document what a PyTorch model's representation leaks about private attributes.

    import irene

    loaded = irene.load("model.pt", "mymodels:build")
    rows = irene.labelled(images, {"smiling": smiling, "gender": gender}, group=person)
    before = irene.audit(loaded, rows, task="smiling", private="gender")
    print(irene.plan(before, rows=2941).choice.command)
    irene.sanitize(loaded, train_rows, "clean.pt", task="smiling", private="gender")
    clean = irene.load("clean.pt", "mymodels:build")
    after = irene.audit(clean, rows, task="smiling", private="gender")
    irene.write_report("report.html", before, after)
    print(irene.gate(after, before, limit=0.05).verdict)

Options: `Settings` of an audit, `SanitizeOptions`, `SweepOptions`; `Encoder` sets pooling and batch size, `Provenance`
what the record says of where a model came from, `Losses` what a gate lets a model lose. `LabelledData` and
`AuditResult` are what `labelled` and `audit` return. `sweep` yields its points:
iterate over it. Every error that a user can mend is an `IreneError`. `__all__` is the public interface; every other
module may change without notice. A name is imported when it is first used, so that `import irene` costs neither torch
nor NumPy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from audit.data.labelled import LabelledData, labelled
    from audit.errors import IreneError
    from audit.evidence.audit_result import AuditResult, read_audit, write_audit
    from audit.model.checkpoint import load, load_released
    from audit.model.forward import Encoder
    from audit.run import audit, audit_embeddings
    from audit.settings import Provenance, Settings
    from reports.audit_page.render import write_report
    from reports.gate.gate import gate
    from reports.gate.requirements import Losses
    from sanitizer.options import SanitizeOptions, SweepOptions
    from sanitizer.plan import plan
    from sanitizer.run import sanitize
    from sanitizer.sweep.run import sweep
    from sanitizer.vectors import sanitize_embeddings

    __version__: str

__all__ = [
    "AuditResult",
    "Encoder",
    "IreneError",
    "LabelledData",
    "Losses",
    "Provenance",
    "SanitizeOptions",
    "Settings",
    "SweepOptions",
    "__version__",
    "audit",
    "audit_embeddings",
    "gate",
    "labelled",
    "load",
    "load_released",
    "plan",
    "read_audit",
    "sanitize",
    "sanitize_embeddings",
    "sweep",
    "write_audit",
    "write_report",
]

_HOMES = {
    "AuditResult": "audit.evidence.audit_result",
    "Encoder": "audit.model.forward",
    "IreneError": "audit.errors",
    "LabelledData": "audit.data.labelled",
    "Losses": "reports.gate.requirements",
    "Provenance": "audit.settings",
    "SanitizeOptions": "sanitizer.options",
    "Settings": "audit.settings",
    "SweepOptions": "sanitizer.options",
    "audit": "audit.run",
    "audit_embeddings": "audit.run",
    "gate": "reports.gate.gate",
    "labelled": "audit.data.labelled",
    "load": "audit.model.checkpoint",
    "load_released": "audit.model.checkpoint",
    "plan": "sanitizer.plan",
    "read_audit": "audit.evidence.audit_result",
    "sanitize": "sanitizer.run",
    "sanitize_embeddings": "sanitizer.vectors",
    "sweep": "sanitizer.sweep.run",
    "write_audit": "audit.evidence.audit_result",
    "write_report": "reports.audit_page.render",
}
"""The module of each public name."""


if not TYPE_CHECKING:  # which would take any name for an object

    def __getattr__(name: str) -> object:
        if name == "__version__":
            from importlib.metadata import version

            value: object = version("irene-audit")
        elif name in _HOMES:
            value = getattr(import_module(_HOMES[name]), name)
        else:
            raise AttributeError(f"module 'irene' has no attribute {name!r}; it has {', '.join(__all__)}")
        globals()[name] = value  # the next use finds it without this function
        return value


def __dir__() -> list[str]:
    return __all__
