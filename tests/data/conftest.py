"""A hub that runs here, a user who downloads from it, and a test set that a user has downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from download_user import CAPTIONS, User, data, pictures, zipped
from fake_hub import Hub
from set_files import kodak


@pytest.fixture
def hub():
    truth = {f"GT/{name}": content for name, content in pictures(30).items()} | {"GT/notes.txt": b"x"}
    made = Hub(
        {
            "topiq-fr.pth": data(30_000, 1),
            "topiq-nr.pth": data(40_000, 2),
            "reference-pix.zip": zipped(pictures(10)),
            "reference-image.zip": zipped({f"reference/{name}": content for name, content in pictures(20).items()}),
            "ground-truth.zip": zipped(truth),
        },
        dict(CAPTIONS),
    )
    yield made
    made.close()


@pytest.fixture
def user(hub, tmp_path):
    return User(hub, tmp_path)


@pytest.fixture(scope="session")
def photos(tmp_path_factory) -> Path:
    return kodak(tmp_path_factory.mktemp("kodak"))


@pytest.fixture
def copy(photos, tmp_path) -> Path:
    """The set, of which a test may spoil files."""
    return shutil.copytree(photos, tmp_path / "kodak")
