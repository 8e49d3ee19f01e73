"""What the user asked of the decode step."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.base import T2IModel

from ..bitstream.inputs import DecoderInput
from ..runtime.messages import RunLog
from ..runtime.ranks import Ranks


@dataclass
class DecodeRequest:
    """What the user asked for. jobs: mode name -> its jobs. folder: Result/NAME. settings: mode name -> its settings,
    as the manifest keeps them; dtype may be None, for the device to decide."""

    model: T2IModel
    model_dir: str | None
    jobs: dict[str, list[DecoderInput]]
    folder: Path
    settings: dict[str, dict[str, Any]]
    facts: dict[str, Any]
    device: str
    dtype: str
    batch_size: int
    overwrite: bool
    options: dict[str, Any] = field(default_factory=dict)  # handed to the model's `load` as they are
    ranks: Ranks = Ranks()
    report: RunLog = field(default_factory=RunLog)
