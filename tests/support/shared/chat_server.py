"""The encoder behind a fake server: loaded, asked for captions, run as a script."""

from __future__ import annotations

from PIL import Image

import models

KEY = "sk-very-secret-0123456789"
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY")
PROMPT = "Describe the image in ten words."


def load(server, name="openai", model_dir="m", concurrency=8, no_probe=True, image_max=None, max_tokens=None, **more):
    model, attributes = models.create("i2t", name), more
    for attribute, value in {"first_wait": 0.01, "timeout": 5.0, **attributes}.items():
        setattr(model, attribute, value)
    options = {"no_probe": no_probe, "image_max": image_max, "max_tokens": max_tokens}
    model.load(model_dir, "cpu", None, api_base=server.base, concurrency=concurrency, seed=7, **options)
    return model


def caption(model, count=1, words=10):
    """`count` pictures of the widths 1, 2, ..., by which the server tells them apart."""
    return model.caption([Image.new("RGB", (place + 1, 3), "red") for place in range(count)], PROMPT, words)


def script(server, *more):
    base = server.base
    return ["--model_name", "openai", "--model_dir", "m", "--api_base", base, "--device", "cpu", "--no_probe", *more]


def rows(bench):
    import csv

    with open(bench.folder / "Text" / "openai.csv", encoding="utf-8", newline="") as file:
        return {row["name"]: row["text"] for row in csv.DictReader(file)}
