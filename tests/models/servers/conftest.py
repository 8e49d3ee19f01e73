"""Fake servers, an environment without keys and proxies, and eight pictures."""

from __future__ import annotations

import pytest
from chat_server import PROXIES
from fake_server import Server
from PIL import Image


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in (*PROXIES, "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def serve():
    servers = []

    def start(answer):
        servers.append(Server(answer))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def truth(bench):
    """Eight pictures of different widths."""
    bench.inside = True
    folder = bench.folder / "GT"
    folder.mkdir()
    for width in range(1, 9):
        Image.new("RGB", (width, 5), "blue").save(folder / f"NSI_ugc_{width:03}.png")
    return folder
