"""Where independent fits run: on threads, in processes of this machine, or on the workers of a Dask or Ray cluster."""

import importlib
import logging
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from types import ModuleType
from typing import Any

import joblib
from joblib.externals import loky
from joblib.parallel import get_active_backend

from audit.data.shared_files import shared_files
from audit.errors import IreneError, UnknownNameError, first_line

BACKENDS = ("threads", "processes", "dask", "ray")
CLUSTERS = {"dask": "dask://HOST:8786", "ray": "ray://HOST:10001"}
"""Those that may be named with the address of one that runs already."""
PACKAGES = {"dask": "distributed", "ray": "ray"}
SECONDS = 20
"""How long an answer of a scheduler is waited for."""
GIVEN_BACK = "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_"
"""What Dask's workers are started with for each block of 128 kB to go back to the system at once; attackers want it
again."""


KEPT = {"MALLOC_TRIM_THRESHOLD_": "1000000000", "MALLOC_MMAP_THRESHOLD_": "33554432"}
"""Environment of processes that are started for work, so that they keep the memory that they free: two small trainings
at a time lose more by getting it back, page by page, than one."""


def require_backend(name: str) -> None:
    """Raise an IreneError if there is no such backend, or its package is not installed."""
    if not isinstance(name, str):
        raise IreneError(f"The backend is {name!r}. Give one of {', '.join(BACKENDS)}, or the address of a cluster.")
    kind, colons, address = name.partition("://")
    if kind not in BACKENDS or (colons and (kind not in CLUSTERS or not address)):
        raise UnknownNameError("backend", name, [*BACKENDS, *CLUSTERS.values()])
    if kind in PACKAGES:
        _package(kind)


@contextmanager
def workers(name: str, module: str | None = None) -> Iterator[None]:
    """Run what is put side by side in a block on a backend: one of BACKENDS, or the address of a cluster that runs.

    `threads` leaves it to the user's `joblib.parallel_config`, if there is one. Mapped features have names meanwhile if
    other processes are to open them. A `module` is what processes that `imported` started have read.

    Raises IreneError if there is no such backend, its package is not installed, or nobody answers at its address.
    """
    require_backend(name)
    kind, _, address = name.partition("://")
    with ExitStack() as stack:
        if kind == "threads":
            if not getattr(get_active_backend(prefer="threads")[0], "supports_sharedmem", False):
                stack.enter_context(shared_files())
            yield
            return
        stack.enter_context(shared_files())
        if kind == "processes":
            stack.enter_context(_set(KEPT))
            stack.callback(lambda: loky.get_reusable_executor().shutdown(wait=True))
            stack.enter_context(_processes(module))
        elif kind == "dask":
            stack.enter_context(joblib.parallel_config("dask", client=_dask(stack, address)))
        else:
            _ray(stack, address)
            stack.enter_context(joblib.parallel_config("ray"))
        yield


@contextmanager
def imported(name: str, module: str) -> Iterator[Callable[[], None]]:
    """Let the processes of `processes` start, and import a module, while a block prepares their work.

    The block is given a function that waits for the first; `workers` with this module finds them then. Any other
    backend's begin there.
    """
    if name != "processes":
        yield lambda: None
        return
    begun = threading.Thread(target=_import_in_processes, args=(module,), daemon=True)
    with _set(KEPT):
        begun.start()
        try:
            yield begun.join
        finally:
            begun.join()
            loky.get_reusable_executor().shutdown(wait=True)


@contextmanager
def _set(variables: Mapping[str, str]) -> Iterator[None]:
    """Set what the user did not set in the environment of processes that are started in a block."""
    mine = [name for name in variables if name not in os.environ]
    os.environ.update({name: variables[name] for name in mine})
    try:
        yield
    finally:
        for name in mine:
            os.environ.pop(name, None)


def _processes(module: str | None) -> Any:
    """Return the setting of joblib that has processes of this machine, which read a module before anything else."""
    begin = {} if module is None else {"initializer": importlib.import_module, "initargs": (module,)}
    return joblib.parallel_config("loky", **begin)


def _import_in_processes(module: str) -> None:
    with _processes(module), suppress(Exception):  # what goes wrong is told where there is work to do
        joblib.Parallel(n_jobs=-1)(joblib.delayed(os.getpid)() for _ in range(joblib.cpu_count()))


def _dask(stack: ExitStack, address: str) -> Any:
    """Connect to a scheduler, or start one with a worker for each core, which nobody else can reach."""
    dask = _package("dask")
    if not address:
        with importlib.import_module("dask.config").set({GIVEN_BACK: None}):
            cluster = _cluster(dask)
        return stack.enter_context(dask.Client(stack.enter_context(cluster), set_as_default=False))
    where = address if "://" in address else f"tcp://{address}"
    try:
        client = stack.enter_context(dask.Client(where, timeout=SECONDS, set_as_default=False))
        client.wait_for_workers(1, timeout=SECONDS)
    except (OSError, TimeoutError, ValueError) as error:
        raise IreneError(
            f"No Dask scheduler with a worker answers at {address} ({first_line(error)}). Start both: dask scheduler, "
            f"and on each machine dask worker {address}."
        ) from None
    return client


def _cluster(dask: ModuleType) -> Any:
    """Start a scheduler and a worker for each core, which nobody else can reach."""
    try:
        return dask.LocalCluster(
            n_workers=joblib.cpu_count(),
            threads_per_worker=1,
            host="127.0.0.1",
            security=dask.Security.temporary(),  # others on this machine could run code of theirs in the workers
            memory_limit=0,  # mapped pages would be counted, too
            dashboard_address="127.0.0.1:0",  # a free port, not everybody's
            silence_logs=logging.ERROR,
        )
    except RuntimeError as error:
        raise IreneError(
            f"Dask's workers do not start on this machine ({first_line(error).rstrip('.')}). In a script of your own, "
            'call irene below if __name__ == "__main__": each worker reads the script first.'
        ) from None


def _ray(stack: ExitStack, address: str) -> None:
    """Connect to a cluster of Ray, or start one on this machine."""
    ray = _package("ray")
    try:
        if address:
            ray.init(f"ray://{address}", log_to_driver=False)
        else:
            ray.init(num_cpus=joblib.cpu_count(), include_dashboard=False, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise IreneError(
            f"Ray does not start at {address or 'this machine'} ({first_line(error)}). Start it: ray start --head."
        ) from None
    stack.callback(ray.shutdown)
    importlib.import_module("ray.util.joblib").register_ray()


def _package(kind: str) -> ModuleType:
    try:
        return importlib.import_module(PACKAGES[kind])
    except ImportError:
        raise IreneError(
            f"--backend {kind} needs {PACKAGES[kind]}, which is not installed: pip install 'irene-audit[{kind}]'."
        ) from None
