"""python -m cmcbench download where something is there already: zips, images, unfinished files."""

from __future__ import annotations

import pytest
from download_user import NAMES, expected, pictures, zipped
from fake_hub import COMMIT

from cmcbench.data import hub as download_hub
from cmcbench.data.items import HubItem
from cmcbench.protocol import SOURCES
from cmcbench.published.dataset import COUNTS, FILES


def test_files_that_differ_are_left_alone_until_overwrite(user, hub):
    for name in ("Weight/topiq-fr.pth", "Text/gpt4v.csv", f"GT/{NAMES[0]}"):
        user.path(name).parent.mkdir(parents=True, exist_ok=True)
        user.path(name).write_bytes(b"my own")
    done = user.run("weights", "captions", "gt", code=1)
    for name in ("Weight/topiq-fr.pth", "Text/gpt4v.csv", f"GT/{NAMES[0]}"):
        assert user.path(name).read_bytes() == b"my own"
        assert f"data/{name}: differs from the published file" in done.stderr
    assert "--overwrite" in done.stderr and not hub.gets("topiq-fr.pth")
    assert user.path("GT/.download/ground-truth.zip").is_file()  # for --overwrite
    again = user.run("gt", code=1)
    assert "1 of 3 images differ" in again.stdout and len(hub.gets("ground-truth.zip")) == 1
    user.run("weights", "captions", "gt", "--overwrite")
    assert user.files() == {name: content for name, content in expected(hub).items() if not name.startswith("Ref")}
    assert len(hub.gets("ground-truth.zip")) == 1 and not user.path("GT/.download/ground-truth.zip").exists()


def test_unpacking_that_was_interrupted_goes_on_without_fetching(user, hub):
    interrupt = """
import cmcbench.data.unzip as u
write, done = u.write_bytes, []
def once(path, content):
    if done: raise KeyboardInterrupt
    done.append(path); write(path, content)
u.write_bytes = once
"""
    user.run("gt", before=interrupt, code=130)
    assert len(user.files()) == 1
    done = user.run("gt", "--keep_zips")
    assert "to unpack" in done.stdout and "2 images of ground-truth.zip written, 1 were there before" in done.stderr
    assert user.files() == {f"GT/{name}": content for name, content in pictures(30).items()}
    assert len(hub.gets("ground-truth.zip")) == 1
    assert user.path("GT/.download/ground-truth.zip").read_bytes() == hub.files["ground-truth.zip"]


def test_a_zip_that_a_killed_run_left_is_removed_by_the_next(user, hub):
    kill = """
import cmcbench.data.items as i
write = i.write_json
def then_end(path, record):
    write(path, record); (path.parent / ".tmp-x").write_bytes(b""); raise KeyboardInterrupt
i.write_json = then_end
"""
    user.run("gt", before=kill, code=130)
    zip_file = user.path("GT/.download/ground-truth.zip")
    assert zip_file.is_file()
    done = user.run("gt")
    assert "is unpacked, and was left by a run that was killed; removed" in done.stderr and not zip_file.exists()
    assert len(hub.gets("ground-truth.zip")) == 1


def test_a_zip_that_is_to_be_kept_is_kept(user, hub):
    user.run("gt", "--keep_zips")
    user.run("gt")
    assert user.path("GT/.download/ground-truth.zip").is_file()


def test_unfinished_files_are_swept(user, hub):
    user.run("gt", "captions")
    for place in ("GT/.download/.tmp-ground-truth.zip.json-x", "Text/.tmp-gpt4v.csv-x", f"GT/.tmp-{NAMES[0]}-x"):
        user.path(place).write_bytes(b"half")
    user.path("Text/gpt4v.csv").unlink()
    user.path(f"GT/{NAMES[0]}").unlink()
    user.run("gt", "captions")
    assert not list((user.folder / "data").rglob(".tmp-*"))


def test_an_image_that_went_away_comes_back(user, hub):
    user.run("gt")
    user.path(f"GT/{NAMES[1]}").unlink()
    done = user.run("gt")
    assert "1 images of ground-truth.zip written, 2 were there" in done.stderr
    assert user.files() == {f"GT/{name}": content for name, content in pictures(30).items()}
    assert len(hub.gets("ground-truth.zip")) == 2


@pytest.mark.parametrize(
    "record, state",
    [
        ('{"mark": "0123456789abcdef", "members": {"a.png": [1, 3916222277]}}', "is here, 1 images"),  # CRC-32 of b" "
        ('{"mark": "0123456789abcdef", "members": {"a.png": [2, 3916222277]}}', "1 of 1 images differ"),
        ('{"mark": "0123456789abcdef", "members": {"a.png": [1, 3916222278]}}', "1 of 1 images differ"),
        ('{"mark": "another version", "members": {"a.png": [1, 3916222277]}}', "to fetch"),
        ('{"mark": "0123456789abcdef", "members": {"../GT/a.png": [1, 3916222277]}}', "to fetch"),
        ('{"mark": "0123456789abcdef", "members": {"a.png": 1}}', "to fetch"),
        ('{"mark": "0123456789abcdef"}', "to fetch"),
        ("{", "to fetch"),
    ],
)
def test_a_record_that_is_none_is_not_believed(tmp_path, monkeypatch, record, state):
    (tmp_path / "GT" / ".download").mkdir(parents=True)
    (tmp_path / "GT" / "a.png").write_text(" ")
    (tmp_path / "GT" / ".download" / "ground-truth.zip.json").write_text(record)
    remote = download_hub.Remote("ground-truth.zip", 100, "0123456789abcdef" * 4, COMMIT)
    monkeypatch.setattr(download_hub, "look_up", lambda file, revision: remote)
    (published,) = [each for each in FILES if each.part == "gt"]
    assert HubItem(published, tmp_path, False, "main").state == state


def test_images_that_were_there_before_are_not_fetched_again(user, hub):
    user.path("GT").mkdir(parents=True)
    for kind, sources in SOURCES.items():
        for source in sources:
            for number in range(COUNTS[source]):
                user.path(f"GT/{kind}_{source}_{number:03}.png").touch()
    done = user.run("gt")
    assert "not compared" in done.stdout and not hub.gets("ground-truth.zip")


def test_a_hostile_zip_writes_nothing(user, hub):
    hub.files["ground-truth.zip"] = zipped({"NSI_pgc_000.png": b"x", "../../NSI_pgc_001.png": b"x"})
    done = user.run("gt", code=1)
    assert "would lead out of its folder" in done.stderr and not user.files()
