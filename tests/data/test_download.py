"""python -m cmcbench download against a hub that runs here: resumed, checked, patient, and clear about what
went wrong.
"""

from __future__ import annotations

import errno
import hashlib
import signal
import subprocess
import time

import pytest
from bench import ROOT
from download_user import CAPTIONS, CHUNK, data, expected
from fake_hub import COMMIT, Fault

from cmcbench.data import download
from cmcbench.data import hub as download_hub
from cmcbench.errors import BadInput, RunFailed
from cmcbench.protocol import SOURCES
from cmcbench.published.dataset import COUNTS, FILES

IMPATIENT = "import cmcbench.data.github as texts, cmcbench.data.hub as hub; texts.WAITS = hub.WAITS = (0, 0)"


def test_everything_comes_to_its_place_and_a_rerun_fetches_nothing(user, hub):
    done = user.run()
    assert user.files() == expected(hub)
    size = sum(map(len, (*hub.files.values(), *hub.texts.values())))
    assert f"to fetch: {size / 1000:.1f} kB" in done.stdout and COMMIT in done.stdout and "CC-BY-4.0" in done.stdout
    assert "notes.txt" in done.stderr  # no picture, left out and said so
    assert "python -m cmcbench doctor --root data" in done.stderr
    fetched = [one for one in hub.asked if one.method == "GET" and one.file in {*hub.files, *hub.texts}]
    # The first file resolves the branch; whatever follows is of the commit that it then was
    assert [one.revision for one in hub.asked if one.server == "hub" and one.method == "HEAD"] == ["main"] + [
        COMMIT
    ] * 4
    tokens = {server: {one.token for one in fetched if one.server == server} for server in ("hub", "cdn", "text")}
    assert tokens == {"hub": {"Bearer hf_secret"}, "cdn": {None}, "text": {None}}
    before = len(fetched)
    again = user.run()
    assert len([one for one in hub.asked if one.method == "GET" and one.file in {*hub.files, *hub.texts}]) == before
    assert again.stdout.count("is here") == 7 and "to fetch: 0.0 kB" in again.stdout
    assert not list(user.path("").rglob("*.zip")) and not list(user.path("").rglob("*.part"))


def test_a_killed_download_goes_on_with_a_range_request(user, hub):
    hub.files["topiq-fr.pth"] = whole = data(2 * CHUNK + 5_000_000)
    hub.faults["cdn", "GET", "topiq-fr.pth"] = [Fault(after=2 * CHUNK + 1000, hang=True)]
    process = subprocess.Popen(**user.command("weights"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert hub.sent.wait(60)
    part = user.path("Weight/.download") / f"topiq-fr.pth.{hashlib.sha256(whole).hexdigest()[:16]}.part"
    deadline = time.monotonic() + 60
    while not part.is_file() or part.stat().st_size < 2 * CHUNK - (1 << 16):  # the last of it may be in a buffer
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and "the same command goes on" in errors and "Traceback" not in errors
    assert part.stat().st_size == 2 * CHUNK and not user.path("Weight/topiq-fr.pth").exists()
    done = user.run("weights")
    assert "81% is here" in done.stdout
    assert [one.range for one in hub.gets("topiq-fr.pth")] == [None, f"bytes={2 * CHUNK}-"]
    assert user.path("Weight/topiq-fr.pth").read_bytes() == whole and not part.exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_connection_that_breaks_is_taken_up_again(user, hub, ranges):
    hub.ranges = ranges  # False: a server that begins anew whatever it is asked for
    hub.files["topiq-fr.pth"] = whole = data(CHUNK + 3_000_000)
    hub.faults["cdn", "GET", "topiq-fr.pth"] = [Fault(after=CHUNK + 1000)]
    user.run("weights")
    assert [one.range for one in hub.gets("topiq-fr.pth")] == [None, f"bytes={CHUNK}-"]
    assert user.path("Weight/topiq-fr.pth").read_bytes() == whole


def test_what_came_of_another_version_is_no_beginning_of_this_one(user, hub):
    hidden = user.path("Weight/.download")
    hidden.mkdir(parents=True)
    (hidden / "topiq-fr.pth.0123456789abcdef.part").write_bytes(b"old")
    too_long = hidden / f"topiq-nr.pth.{hashlib.sha256(hub.files['topiq-nr.pth']).hexdigest()[:16]}.part"
    too_long.write_bytes(bytes(50_000))
    user.run("weights")
    assert {one.range for file in ("topiq-fr.pth", "topiq-nr.pth") for one in hub.gets(file)} == {None}
    assert (
        not list(hidden.glob("*.part")) and user.path("Weight/topiq-nr.pth").read_bytes() == hub.files["topiq-nr.pth"]
    )


def test_a_wrong_hash_is_refused_and_the_rest_comes(user, hub):
    hub.hashes["topiq-fr.pth"] = "0" * 64
    done = user.run("weights", code=1)
    assert "0" * 64 in done.stderr and "fetch it again" in done.stderr
    assert not user.path("Weight/topiq-fr.pth").exists() and not list(user.path("Weight/.download").glob("*.part"))
    assert user.path("Weight/topiq-nr.pth").read_bytes() == hub.files["topiq-nr.pth"]
    del hub.hashes["topiq-fr.pth"]
    user.run("weights")
    assert user.path("Weight/topiq-fr.pth").read_bytes() == hub.files["topiq-fr.pth"]


def test_a_hub_that_tells_no_hash_is_believed_and_said_so(user, hub):
    hub.hashes["topiq-fr.pth"] = None
    done = user.run("weights")
    assert "topiq-fr.pth" in done.stderr and "only its size was checked" in done.stderr
    assert user.path("Weight/topiq-fr.pth").read_bytes() == hub.files["topiq-fr.pth"]


def test_each_refusal_says_what_to_do_and_the_rest_comes(user, hub):
    hub.faults["hub", "HEAD", "topiq-fr.pth"] = [Fault(403, "GatedRepo")]
    hub.faults["hub", "HEAD", "reference-pix.zip"] = [Fault(401)]
    hub.faults["hub", "HEAD", "reference-image.zip"] = [Fault(418)]
    hub.faults["hub", "HEAD", "ground-truth.zip"] = [Fault(200)]  # something answers, but no hub
    del hub.files["topiq-nr.pth"]
    del hub.texts["qwen.csv"]
    done = user.run(code=1)
    lines = {
        line.split(":")[0].removeprefix("failed"): line for line in done.stderr.splitlines() if line.startswith("  ")
    }
    assert "accepted" in lines["  topiq-fr.pth"] and "hf auth login" in lines["  topiq-fr.pth"]
    assert "no such file at revision" in lines["  topiq-nr.pth"]
    assert "HF_TOKEN" in lines["  reference-pix.zip"]
    assert "status 418" in lines["  reference-image.zip"]
    assert "not as a hub does" in lines["  ground-truth.zip"]
    assert "qwen.csv answers with status 404" in done.stderr and "--captions_base" in done.stderr
    assert user.files() == {"Text/gpt4v.csv": CAPTIONS["gpt4v.csv"]}


def test_a_revision_that_is_not_there(user, hub):
    done = user.run("gt", "--revision", "v9", code=1)
    assert "no revision 'v9'" in done.stderr and not user.files()


def test_an_overloaded_server_is_asked_again(user, hub):
    hub.faults["hub", "HEAD", "topiq-fr.pth"] = [Fault(503)]
    hub.faults["cdn", "GET", "topiq-nr.pth"] = [Fault(503)]
    hub.faults["text", "GET", "gpt4v.csv"] = [Fault(503)]
    hub.faults["text", "GET", "qwen.csv"] = [Fault(after=10)]
    done = user.run("weights", "captions")
    assert done.stderr.count("asked again in 1 s") == 2
    assert user.files() == {
        name: content for name, content in expected(hub).items() if name.startswith(("Weight", "Text"))
    }


def test_other_captions_than_the_published_ones_are_not_kept(user, hub):
    hub.texts["gpt4v.csv"] = b"<html>not here</html>"
    done = user.run("captions", code=1)
    assert hashlib.sha256(hub.texts["gpt4v.csv"]).hexdigest() in done.stderr
    assert user.files() == {"Text/qwen.csv": CAPTIONS["qwen.csv"]}


def test_a_server_that_sends_more_than_it_told_is_stopped(user, hub):
    hub.faults["cdn", "GET", "topiq-fr.pth"] = [Fault(body=bytes(CHUNK))]
    done = user.run("weights", code=1)
    assert "sends more than the 30,000 bytes" in done.stderr and not user.path("Weight/topiq-fr.pth").exists()


def test_a_hub_that_cannot_be_reached_is_asked_once(user, hub):
    hub.close()
    done = user.run("weights", "gt", code=1)
    assert done.stderr.count("cannot be reached or broke off") == 2  # as it happens, and in the list at the end
    assert "ground-truth.zip: not asked for" in done.stderr and "HF_ENDPOINT" in done.stderr
    assert "asked again" not in done.stderr


def test_no_room_is_told_before_anything_is_fetched(user, hub):
    before = "import shutil, types; shutil.disk_usage = lambda place: types.SimpleNamespace(free=100_050_000)"
    done = user.run(before=before, code=1)
    assert "are needed" in done.stderr and "gt " in done.stderr and "--root" in done.stderr
    assert not user.files() and not [one for one in hub.asked if one.server == "cdn"]
    user.run("captions", before=before)  # which fits


def test_dry_run_fetches_nothing(user, hub):
    done = user.run("--dry_run")
    assert "ground-truth.zip" in done.stdout and "needed in" in done.stdout and not user.files()


def test_offline_is_refused_with_a_way_out(user, hub):
    done = user.run("weights", code=2, HF_HUB_OFFLINE="1")
    assert "HF_HUB_OFFLINE" in done.stderr and "env -u" in done.stderr and not hub.asked


def test_no_password_of_an_address_is_shown(user, hub):
    base = hub.endpoint.replace("://", "://somebody:Pa55w0rd@") + "/Text"
    for environment, arguments in (
        ({"HF_ENDPOINT": "http://somebody:Pa55w0rd@127.0.0.1:9"}, ("weights",)),
        ({"HF_ENDPOINT": "http://somebody:Pa55w0rd@[bad"}, ("weights",)),
        ({"HF_ENDPOINT": "https//somebody:Pa55w0rd@mirror"}, ("weights",)),
        ({}, ("captions", "--captions_base", base)),
        ({}, ("captions", "--captions_base", "http://somebody:Pa55w0rd@[bad")),
        ({}, ("captions", "--captions_base", "https:/somebody:Pa55w0rd@host")),
    ):
        command = user.command(*arguments, before=IMPATIENT)
        command["env"].update(environment)
        if "--captions_base" in arguments:
            del command["args"][-2:]  # the fixture's own
        done = subprocess.run(**command, capture_output=True, timeout=120)
        said = done.stdout + done.stderr
        assert done.returncode in (1, 2) and "Traceback" not in said, said
        assert "Pa55w0rd" not in said and ("[hidden]" in said or "HF_ENDPOINT is not an address" in said), said


def test_faults_that_may_pass_are_waited_for_and_those_of_this_machine_are_not_the_hubs(monkeypatch, capsys):
    from huggingface_hub.errors import HTTPError

    monkeypatch.setattr(download_hub, "WAITS", (0, 0))
    answers: list = [HTTPError("reset"), HTTPError("reset"), "here"]

    def ask():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert download_hub._patiently("a.zip", "main", ask) == "here"
    assert capsys.readouterr().err.count("broke off (reset); asked again in 0 s") == 2
    answers += [HTTPError("reset")] * 3
    with pytest.raises(download_hub.Unreachable, match="HF_ENDPOINT"):
        download_hub._patiently("a.zip", "main", ask)
    answers.append(OSError("Consistency check failed: file should be of size 3"))  # as huggingface_hub raises it
    with pytest.raises(RunFailed, match="Consistency check failed.*is kept"):
        download_hub._patiently("a.zip", "main", ask)
    answers.append(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        download_hub._patiently("a.zip", "main", ask)


def test_a_folder_that_is_a_file_is_told(user, hub):
    user.folder.joinpath("data").mkdir()
    user.path("Weight").write_text("x")
    done = user.run("weights", code=1)
    assert "is a file, and a folder is needed" in done.stderr


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["everything"], "no part 'everything'"),
        (["--captions_base", "file:///etc"], "expected an address"),
        (["--revision", " "], "expected a branch"),
    ],
)
def test_wrong_flags_are_refused_before_anything_is_asked(arguments, message, capsys):
    with pytest.raises((BadInput, SystemExit)) as error:
        download.main(arguments)
    assert message in capsys.readouterr().err + str(error.value)
    assert getattr(error.value, "exit_code", getattr(error.value, "code", None)) == 2


def test_the_published_sizes_and_counts_are_those_of_the_protocol():
    assert sum(COUNTS.values()) == 1000 and {source for sources in SOURCES.values() for source in sources} == set(
        COUNTS
    )
    types = {kind: sum(COUNTS[source] for source in sources) for kind, sources in SOURCES.items()}
    assert types == {"NSI": 400, "SCI": 300, "AIGI": 300}
    sizes = {each.file: round(each.megabytes * 1e6) for each in FILES if not each.on_hub}
    assert sizes == {"gpt4v.csv": 152_493, "qwen.csv": 166_303}


def test_the_commands_of_the_page_are_ones_that_the_program_takes():
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    commands = [
        line.partition("#")[0].split() for line in page.splitlines() if line.startswith("python -m cmcbench download")
    ]
    assert len(commands) >= 4
    for command in commands:
        download._parser().parse_args(command[4:])
    for each in FILES:
        assert each.file in page and (not each.on_hub or f"{each.file} ({each.megabytes} MB)" in page)
