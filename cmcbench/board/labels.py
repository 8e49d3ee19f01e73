"""How the board names modes, Overall rows and the two TOPIQ metrics, in tables and figures alike."""

from __future__ import annotations

from ..protocol import MODES, OVERALL_METRICS

OVERALL, OVERALL_I2T = "overall", "overall-i2t"
ORDER = [*MODES, "images", OVERALL, OVERALL_I2T]

LABELS = dict(zip(OVERALL_METRICS, ("FR", "NR")))
