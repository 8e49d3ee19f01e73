"""JSON Schemas (draft 2020-12) of a submission's documents: what is used of each must be there and of its type.

Further keys are allowed, so that a newer version's summary can still be checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from ..files.submitted.submitter import FIELDS, LONGEST
from ..files.untrusted import LARGEST
from ..protocol import MODES
from ..published import dataset
from .rules import FILES, FORMAT

MOST_PROBLEMS = 20


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": {**required, **(optional or {})}, **more}


def _every(value: dict[str, Any], most: int = 64) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": value, "maxProperties": most, "propertyNames": NAME}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}


NAME = {"type": "string", "minLength": 1, "maxLength": 200}
TEXT = {"type": "string", "maxLength": 2000}
NUMBER = {"type": "number", "minimum": -LARGEST, "maximum": LARGEST}
POSITIVE = {"type": "number", "minimum": 0, "maximum": LARGEST}
COUNT = {"type": "integer", "minimum": 0, "maximum": 20_000}
MEAN = _object({"mean": NUMBER, "n": COUNT}, {"low": _or_null(NUMBER), "high": _or_null(NUMBER)})
MEANS = _every(MEAN)
PAIRS = _every(_or_null({"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}))  # [low, high]
OVERALL = _object({"t2i": _or_null(NUMBER), "i2t": _or_null(NUMBER)})
RATE = _object(
    {"kind": {"enum": ["measured", "estimated", "nominal"]}, "ratio": POSITIVE},
    {part: _or_null(POSITIVE) for part in ("caption", "deflate", "pixel", "image", "packed")},
)
COST = _object({key: _or_null(POSITIVE) for key in ("encode_seconds", "decode_seconds", "peak_memory")})
MODE = _object(
    {
        "images": COUNT,
        "metrics": MEANS,
        "bpp": _or_null(MEAN),
        "rate": _or_null(RATE),
        "cost": COST,
        "types": _every(MEANS),
        "sources": _every(MEANS),
    }
)
METRIC = _object({"kind": {"enum": ["FR", "NR"]}, "lower_is_better": {"type": "boolean"}, "identity": TEXT})
WEIGHTS = {
    metric: _object(
        {
            "file": {"const": known["file"]},
            "bytes": {"type": "integer", "minimum": 1, "maximum": int(LARGEST)},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
    )
    for metric, known in dataset.published_weights().items()
}
SUBMITTER = _object(
    {}, dict.fromkeys(FIELDS, {"type": "string", "minLength": 1, "maxLength": LONGEST}), additionalProperties=False
)
MODE_NAMES = {"enum": list(MODES)}

SCHEMAS = {
    "submission.json": _object(
        {
            "format": {"const": FORMAT},
            "cmcbench": NAME,
            "target": NAME,
            "modes": {"type": "array", "items": MODE_NAMES, "minItems": 1, "uniqueItems": True},
            "images": {**COUNT, "minimum": 1},
            "overall": OVERALL,
            "weights": _object(WEIGHTS, additionalProperties=False),
            "deviations": {"type": "array", "items": TEXT, "maxItems": 200},
            "absent": {"type": "object", "additionalProperties": TEXT, "propertyNames": {"enum": list(FILES)}},
        },
        {"submitter": SUBMITTER},
        additionalProperties=False,
    ),
    "summary.json": _object(
        {
            "target": NAME,
            "made_by": _object({}),
            "ground_truth": _object(
                {"images": {**COUNT, "minimum": 1}, "digest": {"type": "string", "pattern": "^[0-9a-f]{16}$"}}
            ),
            "metrics": _every(METRIC),  # whether TOPIQ is among them is for submission_rules.missing to say
            "modes": {**_every(MODE), "propertyNames": MODE_NAMES, "minProperties": 1},
            "over_modes": _every(_or_null(NUMBER)),
            "overall": OVERALL,
        },
        {
            "over_modes_interval": PAIRS,
            "overall_interval": PAIRS,
            "seed": {"type": "integer"},
            "system": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
        },
    ),
    "manifest.json": _object(
        {"modes": _every(_object({"settings": {"type": "object"}, "inputs": {"type": "object"}}))},
        {
            "t2i": _or_null(TEXT),
            "model_dir": _or_null(TEXT),
            "captions": _or_null({"type": "object"}),
            "baseline": {"type": "boolean"},
            "environment": _every(TEXT),
        },
    ),
    "environment.json": _object(
        {
            "versions": _every(TEXT),
            "platform": _every(TEXT),
            "gpus": {"type": "array", "items": TEXT, "maxItems": 1024},
        },
        additionalProperties=False,
    ),
    "captions.json": _object({"settings": {"type": "object"}}),
}


def schema_problems(name: str, document: dict[str, Any]) -> Iterator[str]:
    """Where a document breaks the schema of its name; the first MOST_PROBLEMS of them."""
    from jsonschema import Draft202012Validator

    for error in islice(Draft202012Validator(SCHEMAS[name]).iter_errors(document), MOST_PROBLEMS):
        yield (
            f"{ascii(error.json_path)[1:-1][:120]}: {error.validator} {ascii(error.validator_value)[:120]} does not"
            " hold"
        )
