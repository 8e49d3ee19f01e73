"""script-i2t.py with a server: a stopped run does not pay twice, servers are not mixed."""

from __future__ import annotations

import json
import signal
import time

from chat_server import KEY, load, rows, script
from fake_server import Reply, fails, says

from cmcbench.encode import journal


def test_the_host_alone_tells_the_server(serve):
    server = serve(lambda image, attempt, body: says("x"))
    for address in ("https://Example.org/v1", "https://u:p@example.org?token=t#f", "https://example.org/t0ken/v1"):
        server.base = address
        assert load(server).identity == {"server": "example.org", "server_model": "m"}


def test_a_stopped_run_keeps_its_captions_and_does_not_pay_twice(bench, truth, serve):
    empty = fails(429, "quota", code="insufficient_quota")
    server = serve(lambda image, attempt, body: says(f"picture {image}") if image < 6 else empty)
    stopped = bench.encode(*script(server, "--concurrency", 1), code=1)
    assert "no money left" in stopped.stderr and set(rows(bench)) == {f"NSI_ugc_{n:03}.png" for n in range(1, 6)}

    server.answer = lambda image, attempt, body: fails(400, "cannot") if image == 7 else says(f"picture {image}")
    server.asked.clear()
    failed = bench.encode(*script(server, "--concurrency", 2), code=1)
    assert "NSI_ugc_007.png" in failed.stderr and sorted(server.asked) == [6, 7, 8] and server.most <= 2

    server.answer = lambda image, attempt, body: says(f"picture {image}")
    server.asked.clear()
    bench.encode(*script(server))
    assert server.asked == [7] and rows(bench) == {f"NSI_ugc_{n:03}.png": f"picture {n}" for n in range(1, 9)}
    usage = json.loads((bench.folder / "Text" / "openai.json").read_text())["images"]["NSI_ugc_001.png"]["usage"]
    assert usage == {"input_tokens": 1000, "output_tokens": 20}


def test_a_killed_run_does_not_pay_twice(bench, truth, serve):
    """All eight pictures are one batch: what is answered is kept before the batch ends."""
    server = serve(lambda image, attempt, body: says(f"picture {image}") if image < 6 else Reply(hang=300))
    process = bench.start("script-i2t.py", *script(server, "--concurrency", 2))
    part = bench.folder / "Text" / ".openai.part-0.jsonl"
    bench.until(lambda: part.exists() and len(journal.read(part).texts) == 5 and server.now == 2, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sorted(server.asked) == [1, 2, 3, 4, 5, 6, 7]

    server.answer = lambda image, attempt, body: says(f"picture {image}")
    server.asked.clear()
    assert "3 captions made" in bench.encode(*script(server)).stderr
    assert sorted(server.asked) == [6, 7, 8] and rows(bench) == {
        f"NSI_ugc_{n:03}.png": f"picture {n}" for n in range(1, 9)
    }
    record = json.loads((bench.folder / "Text" / "openai.json").read_text())
    assert record["usage"] == {"input_tokens": 8000, "output_tokens": 160} and not part.exists()


def test_captions_of_two_servers_are_not_mixed(bench, truth, serve, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server, other = (serve(lambda image, attempt, body: says("x")) for _ in range(2))
    address = server.base.replace("http://", "http://user:passw0rd@")
    flags = ["--model_name", "openai", "--device", "cpu", "--subset", 2, "--no_probe", "--api_base"]
    bench.encode(*flags, address)
    text = (bench.folder / "Text" / "openai.json").read_text()
    settings = json.loads(text)["settings"]
    host = server.base.split("/")[2]
    assert (settings["server"], settings["server_model"], settings["dtype"]) == (host, "m", None)
    assert not any(secret in text for secret in (KEY, "user:", "passw0rd"))

    refused = bench.encode(*flags[:4], "--no_probe", "--api_base", other.base, code=2)
    assert f"server was {host} and is {other.base.split('/')[2]} now" in refused.stderr and not other.asked
    server.models = ["another"]
    refused = bench.encode(*flags[:4], "--no_probe", "--api_base", server.base, code=2)
    assert "server_model was m and is another now" in refused.stderr
    assert json.loads((bench.folder / "Text" / "openai.json").read_text())["settings"] == settings
    server.models = ["m"]
    assert "6 captions made" in bench.encode(*flags[:4], "--no_probe", "--api_base", server.base).stderr
    bench.encode(*flags[:4], "--no_probe", "--api_base", other.base, "--overwrite")
    assert len(other.asked) == 8


def test_ctrl_c_ends_a_run_that_waits_for_a_server(bench, truth, serve):
    server = serve(lambda image, attempt, body: Reply(hang=300))
    process = bench.start("script-i2t.py", *script(server))
    bench.until(lambda: server.now == 8, process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130 and "Traceback" not in said and time.monotonic() - began < 50


def test_no_key_is_told_before_any_image_is_read(bench, truth):
    (truth / "broken.png").write_bytes(b"no picture")
    done = bench.encode("--model_name", "gpt4o", "--device", "cpu", code=2)
    assert "OPENAI_API_KEY" in done.stderr and "broken" not in done.stderr
