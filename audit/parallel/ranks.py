"""The processes that torchrun started: each has its share of the rows, and the first one joins what they found."""

import os
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from audit.data.shared_files import named_in, shared_files
from audit.errors import IreneError, cut, first_line
from audit.parallel.packing import answered, unpacked

PATIENCE = timedelta(hours=12)
"""How long the first process waits for one that is still at work; one that has ended is noticed at once."""


def process_count(variable: str = "WORLD_SIZE", default: int = 1) -> int:
    """Return how many processes torchrun started, 1 without it; of this machine by LOCAL_WORLD_SIZE.

    Raises IreneError if the environment says no such number.
    """
    return _number(variable, default, 1)


def is_first() -> bool:
    """Return whether this process speaks and writes: the first of torchrun's, or the only one."""
    return _rank() == 0


def _rank() -> int:
    """Return which process this is; RANK alone, as schedulers and containers set it too, is no torchrun's.

    Raises IreneError if there cannot be such a process: it would leave all work to a first one that is not there.
    """
    size = process_count()
    if size == 1:
        return 0
    rank = _number("RANK", 0, 0)
    if rank >= size or (rank and "MASTER_ADDR" not in os.environ):
        odd = f"RANK to {rank}" if rank >= size else "no MASTER_ADDR"
        raise IreneError(
            f"The environment sets WORLD_SIZE to {size} and {odd}, so torchrun did not start this process. Unset "
            "WORLD_SIZE, or start irene by torchrun."
        )
    return rank


def _number(variable: str, default: int, least: int) -> int:
    text = os.environ.get(variable) or str(default)
    if not re.fullmatch("[0-9]{1,9}", text) or int(text) < least:
        raise IreneError(
            f"The environment sets {variable} to {cut(text)!r}, which is no number of torchrun's. Unset it, or start "
            "irene by torchrun."
        )
    return int(text)


@dataclass(frozen=True)
class Ranks:
    """This process among all that share the rows."""

    rank: int
    size: int
    folder: Path
    """Where each leaves what it found; all of them see it."""

    def share(self, batches: int) -> range:
        """Return which of so many batches are this process's: whole ones in a row, as many for each."""
        return range(batches * self.rank // self.size, batches * (self.rank + 1) // self.size)

    def device(self, device: torch.device) -> torch.device:
        """Return the device of this process: of several GPUs, one each."""
        if device.type != "cuda" or device.index is not None:
            return device
        return torch.device("cuda", _number("LOCAL_RANK", 0, 0) % torch.cuda.device_count())

    def gathered(self, mine: object) -> list[Any]:
        """Return what each process found, in order, in the first one; any other is done with it and ends.

        Raises, in the first, the IreneError that another sent, or one if another ended without a word.
        """
        path = self.folder / f"share-{self.rank}"
        if self.rank:
            path.write_bytes(answered(mine))
        found: list[Any] | None = [None] * self.size if self.rank == 0 else None
        try:
            distributed.gather_object(str(path), found, dst=0)
        except RuntimeError:
            raise _lost(self.rank) from None
        if found is None:
            raise SystemExit(0)
        each = [mine, *(unpacked(Path(one).read_bytes()) for one in found[1:])]
        for one in each:
            if isinstance(one, IreneError):
                raise one
        return each


def _lost(rank: int) -> BaseException:
    """Return what a process raises when another has ended: the first tells it, for any other the first has told why."""
    if rank:
        return SystemExit(1)
    return IreneError(
        "A process of torchrun ended before its rows were read. No evidence was written; run the command again."
    )


@contextmanager
def torchrun(held: AbstractContextManager[object] | None = None) -> Iterator[Ranks | None]:
    """Yield this process among those of torchrun, or None where it is the only one.

    What goes wrong in any is told by the first.

    Args:
        held: What the first process alone enters, and no process goes on before: a lock, or a look at what is there.
    """
    rank, size, held = _rank(), process_count(), held or nullcontext()
    if size == 1:
        with held:
            yield None
        return
    try:
        distributed.init_process_group("gloo", timeout=PATIENCE)
    except ValueError as error:  # a variable is missing, or is no number
        raise IreneError(
            f"The environment sets WORLD_SIZE to {size}, and torchrun started nothing: {first_line(error)}. Unset it, "
            "or start irene by torchrun."
        ) from None
    try:
        with ExitStack() as stack:
            named = [""]
            if rank == 0:
                stack.enter_context(held)
                named = [str(stack.enter_context(shared_files()))]
            try:
                distributed.broadcast_object_list(named)
            except RuntimeError:
                raise _lost(rank) from None
            ranks = Ranks(rank, size, stack.enter_context(named_in(Path(named[0]))))
            try:
                yield ranks
            except IreneError as error:
                if rank == 0:
                    raise
                ranks.gathered(error)
    except KeyboardInterrupt:  # Ctrl-C, or SIGTERM of a torchrun of which another process has ended
        if rank == 0:
            raise
        raise SystemExit(1) from None  # the first has told
    finally:
        distributed.destroy_process_group()
