"""What the user asked of the encode step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.base import I2TModel

from ..runtime.messages import RunLog
from ..runtime.ranks import Ranks


@dataclass
class EncodeRequest:
    """What the user asked for: which model captions which images, how, and where the captions go.

    images: stem -> path, those to caption. order: all of the ground truth's file names, the order of the rows.
    file: Text/NAME.csv. device and dtype as on the command line. options: what is handed to the model's `load` as it
    is.
    """

    model: I2TModel
    model_name: str
    model_dir: str | None
    images: dict[str, Path]
    order: list[str]
    file: Path
    words: int
    seed: int
    device: str
    dtype: str
    batch_size: int
    overwrite: bool
    options: dict[str, Any]
    adapter: str = ""  # what identifies a user's own adapter
    same_model: bool = False  # a server at another address is taken for the one that the captions are from
    ranks: Ranks = Ranks()
    report: RunLog = field(default_factory=RunLog)
