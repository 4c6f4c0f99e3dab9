"""Numerical libraries kept to one thread a task, so that results do not depend on the machine."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import ThreadpoolController

_LOCK = threading.Lock()
_RUNNING: list[object] = []
_LIMITS = ExitStack()
"""Limits of the whole process: they hold as long as any task runs, whichever began and whichever ends last."""


@contextmanager
def on_one_thread(controller: ThreadpoolController) -> Iterator[None]:
    """Run a block on one thread, and say nothing of an attacker that could be better: it is one still."""
    own = object()
    with _LOCK:
        if not _RUNNING:
            _LIMITS.enter_context(warnings.catch_warnings())
            warnings.simplefilter("ignore", ConvergenceWarning)
            _LIMITS.enter_context(controller.limit(limits=1, user_api="blas"))
        _RUNNING.append(own)
    try:
        with controller.limit(limits=1, user_api="openmp"):  # counted per thread, so it is set in each
            yield
    finally:
        with _LOCK:
            _RUNNING.remove(own)
            if not _RUNNING:
                _LIMITS.close()
