"""The faults of a submission, gathered by kind."""

from __future__ import annotations

from ...runtime.messages import SHOWN


class Faults:
    """What is wrong, by kind: a thousand rows with the same fault are reported as one, with its first examples."""

    def __init__(self) -> None:
        self._kinds: dict[str, list[str]] = {}

    def add(self, kind: str, message: str) -> None:
        self._kinds.setdefault(kind, []).append(message)

    def __len__(self) -> int:
        return sum(len(messages) for messages in self._kinds.values())

    def lines(self) -> list[str]:
        """The faults, in the order found, with no more than SHOWN of a kind."""
        lines = []
        for messages in self._kinds.values():
            lines += messages[:SHOWN]
            if len(messages) > SHOWN:
                lines.append(f"... and {len(messages) - SHOWN:,} more of the last kind")
        return lines
