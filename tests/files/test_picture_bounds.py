"""Hostile pictures: bounded before they are decoded, ended when they take too long, never run as a program."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from bench import ROOT
from picture_files import chunk, photo, png, save, with_chunks, written
from PIL import Image

from cmcbench.errors import ImageProblem
from cmcbench.files.images import image_size, picture_bytes, read_rgb
from cmcbench.files.pictures import decode, read, worker


def refused(data: bytes, words: str, seconds: float = 2.0) -> None:
    """seconds: of the processor's time, since a busy machine takes longer by the clock."""
    begun = time.process_time()
    with pytest.raises(ImageProblem, match=words):
        read_rgb(data, "x.png")
    assert time.process_time() - begun < seconds


@pytest.mark.parametrize("name", ["x.png", "x.eps", "x", "x.tga"])
def test_no_program_is_started_for_what_a_file_holds(tmp_path, monkeypatch, name):
    canary = tmp_path / "canary"
    for program in ("gs", "gswin64c", "djpeg"):
        script = written(tmp_path / program, f"#!/bin/sh\ntouch {canary}\n".encode())
        script.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    wmf = b"\xd7\xcd\xc6\x9a" + bytes(60)
    for data in (eps, wmf, b"%PDF-1.7\n", b"/* XPM */\nstatic char *x[] = {}", b"#define x_width 3\n"):
        path = written(tmp_path / name, data)
        for function in (read_rgb, image_size):
            with pytest.raises(ImageProblem):
                function(path)
    assert not canary.exists()


def many_scans(count: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    import io

    buffer = io.BytesIO()
    photo((64, 64)).save(buffer, "JPEG", progressive=True)
    data = buffer.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * count + data[-2:]


def test_the_scans_of_a_jpeg_are_bounded(tmp_path):
    refused(many_scans(6000), "has more than 100 scans, beyond any picture of its size")
    image, note = read_rgb(many_scans(0))
    assert (image.size, note) == ((64, 64), None)


def test_scans_that_hide_behind_a_false_end_are_counted():
    data = many_scans(6000)
    place = data.index(b"\xff\xda")
    comment = b"\xff\xfe\0\x06\xff\xd9\xff\xd9"
    refused(data[:place] + comment + data[place:], "scans")


def test_what_stands_behind_a_jpeg_counts_for_nothing(tmp_path):
    path = written(tmp_path / "x.jpg", many_scans(0) + b"\xff\xda" * 5000)  # as a motion photo's film may
    assert read_rgb(path)[0].size == (64, 64)


def test_a_jpeg_of_millions_of_segments_is_refused():
    refused(b"\xff\xd8" + b"\xff\xfe\0\2" * 1_000_000, "has more than 4096 segments")


def test_the_chunks_of_a_png_are_bounded():
    data = png(2, 1, 8, 2, [bytes(6)])
    refused(with_chunks(data, *[chunk(b"tEXt", b"a\0b")] * 50_000), "has more than 4096 chunks")
    refused(with_chunks(data, *[chunk(b"IDAT", b"")] * 200_000), "has more than 131072 chunks", seconds=5)


def many_directories(count: int) -> bytes:
    entry = struct.pack("<HHII", 256, 4, 1, 1)
    directories = [struct.pack("<H", 1) + entry + struct.pack("<I", 8 + 18 * (number + 1)) for number in range(count)]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directories)


@pytest.mark.parametrize("count", [100, 100_000])
def test_the_directories_of_a_tiff_are_bounded(count):
    refused(many_directories(count), "has more than 64 directories")


def test_a_tiff_whose_directories_are_a_circle_ends():
    loop = many_directories(2)[:-4] + struct.pack("<I", 8)
    refused(loop, "tells no size")


def test_a_tiff_directory_that_repeats_its_data_is_refused():
    blob = bytes(1 << 20)
    entries = b"".join(struct.pack("<HHII", 40_000 + number, 1, len(blob), 8) for number in range(1000))
    place = 8 + len(blob)
    data = b"II*\0" + struct.pack("<I", place) + blob + struct.pack("<H", 1000) + entries + bytes(4)
    refused(data, "longer than the file")


def test_an_animation_of_any_length_is_refused_in_time():
    frames = chunk(b"acTL", struct.pack(">II", 2_000_000_000, 0))
    refused(with_chunks(png(2, 1, 8, 2, [bytes(6)]), frames), r"is animated \(2000000000 frames\)")


@pytest.mark.parametrize("function", [read_rgb, image_size, picture_bytes])
@pytest.mark.parametrize("what", ["pipe", "/dev/zero", "/dev/tty", "socket", "folder", "loop"])
def test_only_regular_files_are_read_and_nothing_hangs(tmp_path, function, what):
    import socket

    path = tmp_path / "x.png"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "socket":
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(path))
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if what == "loop" else what)
    begun = time.perf_counter()
    with pytest.raises(ImageProblem, match=r"^x\.png: (cannot be read|is not in)"):
        function(path)
    assert time.perf_counter() - begun < 60


def test_a_file_beyond_the_bound_is_not_read_into_memory(tmp_path):
    path = tmp_path / "x.png"
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        file.truncate(read.LARGEST + 1)
    with pytest.raises(ImageProblem, match="bytes, at most"):
        read_rgb(path)


LIMITED = """
import resource, sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cmcbench.files.images import read_rgb
from cmcbench.errors import ImageProblem
from PIL import Image
resource.setrlimit(resource.RLIMIT_AS, (400 << 20, resource.RLIM_INFINITY))
for name in sys.argv[2:]:
    try:
        print("read", read_rgb(Path(name))[0].size)
    except ImageProblem as problem:
        print(problem)
"""


@pytest.mark.parametrize("form", ["PNG", "TGA", "WEBP"])
def test_a_picture_too_large_for_memory_fails_by_itself(tmp_path, form):
    options = {"PNG": {"compress_level": 1}, "TGA": {"compression": "tga_rle"}, "WEBP": {"method": 0, "quality": 1}}[
        form
    ]
    large = save(tmp_path / "large.tga", Image.new("RGBA", (9000, 9000)), form, **options)
    small = save(tmp_path / "small.tga", photo(), form)
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(ROOT), str(large), str(small)], capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr, done.stderr
    first, second = done.stdout.splitlines()
    assert first.startswith("large.tga: ") and second == "read (40, 30)"
    assert form == "WEBP" or "memory" in first  # libwebp does not say what it lacked


def test_a_picture_that_takes_too_long_is_ended_and_the_next_is_read(tmp_path, monkeypatch):
    slow = save(tmp_path / "slow.jp2", photo((1500, 1500)), "JPEG2000")
    quick = save(tmp_path / "quick.jp2", photo((8, 8)), "JPEG2000")
    assert read_rgb(quick)[0].size == (8, 8)
    monkeypatch.setattr(decode, "SECONDS", 0.05)
    with pytest.raises(ImageProblem, match=r"^slow.jp2: takes more than 0.05 seconds to decode"):
        read_rgb(slow)
    monkeypatch.undo()
    assert read_rgb(quick)[0].size == (8, 8) and read_rgb(slow)[0].size == (1500, 1500)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_the_time_limit_holds_in_this_process_too(tmp_path, monkeypatch, form):
    path = save(tmp_path / "x", photo((1500, 1500)), form)
    monkeypatch.setattr(decode, "SECONDS", -1.0)
    with pytest.raises(ImageProblem, match="seconds to decode"):
        read_rgb(path)


def test_a_worker_that_dies_takes_one_picture_along(tmp_path):
    path = save(tmp_path / "x.webp", photo(), "WEBP")
    read_rgb(path)
    for dying in worker.idle:
        dying.kill()
        dying.wait()
    deaths = len(worker.idle)
    for _ in range(deaths):
        with pytest.raises(ImageProblem, match="x.webp: "):
            read_rgb(path)
    assert read_rgb(path)[0].size == (40, 30)


def test_threads_have_workers_of_their_own(tmp_path):
    paths = [save(tmp_path / f"{number}.webp", photo((40 + number, 30)), "WEBP") for number in range(6)]
    sizes: dict[int, tuple[int, int]] = {}
    threads = [threading.Thread(target=lambda n=n: sizes.update({n: read_rgb(paths[n])[0].size})) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sizes == {number: (40 + number, 30) for number in range(6)}


def test_workers_end_with_the_program(tmp_path):
    path = save(tmp_path / "x.webp", photo(), "WEBP")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1]); from pathlib import Path\n"
        "from cmcbench.files.images import read_rgb; from cmcbench.files.pictures import worker\n"
        "read_rgb(Path(sys.argv[2])); print(worker.idle[0].pid)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(ROOT), str(path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


def test_the_limit_on_pixels_holds_for_every_format(tmp_path, monkeypatch):
    paths = [save(tmp_path / form, photo(), form) for form in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "AVIF", "QOI")]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1199)
    for path in paths:
        for function in (read_rgb, image_size):
            with pytest.raises(ImageProblem, match="more than 1199 pixels"):
                function(path)


def test_heic_is_refused_with_a_remedy(tmp_path):
    for brand in (b"heic", b"heix"):
        data = struct.pack(">I", 24) + b"ftyp" + brand + bytes(4) + b"mif1heic" + bytes(64)
        refused(data, "is a HEIC picture, which Pillow cannot read; convert it")
