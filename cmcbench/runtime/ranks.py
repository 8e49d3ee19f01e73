"""Several processes on the same work, as torchrun starts them: who does what, and how they meet.

A process is told its number by torchrun's environment (RANK, WORLD_SIZE, LOCAL_RANK). Each takes every n-th image by
name and writes a file of its own; number 0 joins them. A run by one process has number 0 of 1 and meets nobody.
"""

from __future__ import annotations

import atexit
import datetime
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ..errors import BadInput, first_line

Item = TypeVar("Item")
PATIENCE = datetime.timedelta(days=7)  # shares differ in size; torchrun ends the others when one dies


@dataclass(frozen=True)
class Ranks:
    """number: this process, 0 <= number < size. local: its number on this machine, which is the GPU it uses."""

    number: int = 0
    size: int = 1
    local: int = 0

    @property
    def first(self) -> bool:
        return self.number == 0

    def share(self, items: Sequence[Item]) -> list[Item]:
        """This process's part of the items: every size-th one, so that expensive neighbours are spread."""
        return list(items[self.number :: self.size])

    def meet(self) -> None:
        """Wait until all processes are here."""
        if self.size > 1:
            import torch.distributed

            torch.distributed.barrier()

    def collect(self, value: Any) -> list[Any]:
        """The values of all processes, by number, in process 0; [] in the others."""
        if self.size == 1:
            return [value]
        import torch.distributed

        values = [None] * self.size if self.first else None
        torch.distributed.gather_object(value, values)
        return values or []

    def tell(self, value: Any) -> Any:
        """The value of process 0, in all processes."""
        if self.size == 1:
            return value
        import torch.distributed

        values = [value]
        torch.distributed.broadcast_object_list(values)
        return values[0]

    def device(self, device: str) -> str:
        """The device of this process: with several GPUs, each process takes its own."""
        return f"cuda:{self.local}" if self.size > 1 and device == "cuda" else device


def join() -> Ranks:
    """This process's place among those that torchrun started. Raises BadInput for an environment that makes no
    sense.
    """
    try:
        number, size, local = (
            int(os.environ.get(key, default)) for key, default in (("RANK", 0), ("WORLD_SIZE", 1), ("LOCAL_RANK", 0))
        )
    except ValueError:
        number = size = local = -1
    if not 0 <= number < size or local < 0:
        shown = ", ".join(f"{key}={os.environ.get(key)!r}" for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK"))
        raise BadInput(f"{shown} make no sense; start several processes with: torchrun --nproc_per_node N script-...")
    if size > 1:
        _meet_the_others(number)
    return Ranks(number, size, local)


def _meet_the_others(number: int) -> None:
    """Join the group of processes. Raises BadInput where the environment does not say where, or the place is taken."""
    import torch.distributed

    host, port = (os.environ.get(key, "") for key in ("MASTER_ADDR", "MASTER_PORT"))
    if not host or not port.isdecimal() or not 0 < int(port) < 1 << 16:
        raise BadInput(
            f"WORLD_SIZE={os.environ['WORLD_SIZE']}, and MASTER_ADDR={host!r}, MASTER_PORT={port!r} do not say where "
            "the processes meet. Start them with: torchrun --nproc_per_node N script-...; or unset RANK and WORLD_SIZE."
        )
    try:
        # gloo: the processes only exchange a few words, through the CPU
        torch.distributed.init_process_group("gloo", timeout=PATIENCE)
    except (RuntimeError, ValueError, OSError) as error:
        what = "cannot listen there" if number == 0 else "cannot reach process 0 there"
        raise BadInput(
            f"process {number} {what} (MASTER_ADDR={host}, MASTER_PORT={port}): {first_line(error)} "
            "Another run may hold the port: give this one its own, as torchrun --master_port 29501 does."
        ) from None
    atexit.register(torch.distributed.destroy_process_group)  # its threads else end the process with an abort
