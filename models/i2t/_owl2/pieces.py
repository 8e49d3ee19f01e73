"""Llama's tokenizer.model by sentencepiece itself, as the authors' environment read it."""

from __future__ import annotations

from pathlib import Path

from ...base import ModelError, first_line


class Pieces:
    """Text to ids and back. What looks like a special token in a text is text, never that token."""

    def __init__(self, folder: Path, vocabulary: int) -> None:
        """Raises ModelError for a file that is missing, damaged, or of more ids than the network has."""
        from sentencepiece import SentencePieceProcessor

        path = folder / "tokenizer.model"
        if not path.is_file():
            raise ModelError(f"{folder} lacks tokenizer.model: fetch it again.")
        try:
            self.model = SentencePieceProcessor(model_file=str(path))
        except (RuntimeError, OSError) as error:
            what = "is a Git-LFS pointer or damaged"
            raise ModelError(f"{path} {what} ({first_line(error)[:120]}): fetch it again.") from error
        if len(self.model) > vocabulary:
            raise ModelError(f"{path} has {len(self.model)} tokens, the weights {vocabulary}: fetch both again.")
        self.bos_token_id, self.eos_token_id = self.model.bos_id(), self.model.eos_id()
        self.pad_token_id = self.model.unk_id()  # the authors pad with <unk>

    def ids(self, text: str) -> list[int]:
        """The ids of a text that stands alone: a space goes before it, no special token around it."""
        return self.model.encode(text)

    def decode(self, ids: list[int], skip_special_tokens: bool = True) -> str:
        """The text of ids. Special tokens have none; without skipping, sentencepiece writes a mark for <unk>."""
        special = {self.bos_token_id, self.eos_token_id, self.pad_token_id} if skip_special_tokens else set()
        return self.model.decode([token for token in ids if token not in special])
