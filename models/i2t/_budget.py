"""How many tokens an answer may have, and what happens where a model spends all of them on thoughts."""

from __future__ import annotations

import threading

from ..base import ModelError

# A caption must end where the model ends it. The longest published one has 2,565 characters although 10 words were
# asked for: at a poor 2.5 characters a token that is 1,026 tokens. A request for many more words gets more.
LEAST_TOKENS, TOKENS_PER_WORD = 1056, 8
RAISED = 4  # times as many, once, when a model's thoughts have taken all
PATIENCE = 10  # images in a row without a caption for that reason, after which the model is given up


class Spent(ModelError):
    """The whole budget went into thoughts, and no caption was left."""


class Budget:
    """The most tokens of an answer. It may be asked by several threads.

    stop: why the run should end, once the model has spent its whole budget on PATIENCE images in a row.
    """

    def __init__(self, most: int | None) -> None:
        """most: what the user says, None: plenty for a caption, and more once thoughts have taken all."""
        self._most = most
        self._lock = threading.Lock()
        self._raised = False
        self._in_a_row = 0
        self._room: int | None = None  # what a server says that it can give
        self.stop: str | None = None

    def tokens(self, words: int) -> int:
        """The most tokens of a caption of so many words."""
        plenty = max(LEAST_TOKENS, TOKENS_PER_WORD * words) * (RAISED if self._raised else 1)
        return min(self._most or plenty, self._room or plenty)

    def limit(self, tokens: int) -> None:
        """Never ask for more than this any more."""
        with self._lock:
            self._room = min(tokens, self._room or tokens)

    def spent(self, words: int, tokens: int, room: int | None = None) -> bool:
        """An answer of at most `tokens` was all thought. True: the budget is larger now, so ask again.

        room: tokens that a model has positions for."""
        with self._lock:
            self._raised = self._most is None
            if min(self.tokens(words), room or self.tokens(words)) > tokens:
                return True
            self._in_a_row += 1
            if self._in_a_row >= PATIENCE:
                self.stop = (
                    f"the model has spent its whole budget of {tokens} tokens on thoughts, {PATIENCE} images in a row. "
                    f"Give it more with --max_tokens {4 * tokens}, or take a model that does not think."
                )
            return False

    def answered(self) -> None:
        """There was a caption, or another failure than this."""
        with self._lock:
            self._in_a_row = 0


def no_caption(tokens: int) -> Spent:
    """What is said of an image whose whole budget went into thoughts."""
    return Spent(
        f"the model has spent its whole budget of {tokens} tokens on thoughts (finish reason: length): "
        "give more with --max_tokens"
    )
