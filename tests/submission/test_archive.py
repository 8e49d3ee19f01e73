"""Zip files of strangers: everything but what `pack` writes is refused, in bounded time and memory."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import zipfile

import pytest
from bench import ROOT
from hostile_zips import (
    CENTRAL,
    HONEST,
    LIMITS,
    LOCAL,
    SECOND,
    WHOLE,
    bomb,
    entry,
    overlapping,
    patched,
    several,
    stored_name,
    streamed,
    understated,
    with_gap,
    with_prefix,
    zip64,
)

from cmcbench.errors import BadInput
from cmcbench.submission import archive as zipped

HOSTILE = {
    "traversal": (entry("../a.csv"), "'../a.csv' is not a plain name and could lead out of a folder"),
    "an absolute name": (entry("/etc/passwd"), "'/etc/passwd' is not a plain name"),
    "a drive": (entry("C:a.csv"), "'C:a.csv' is not a plain name"),
    "a backslash": (entry("..\\a.csv"), "is not a plain name"),
    "a NUL in the name": (stored_name(b"a.csv\0.py"), "is not a plain name"),
    "no name": (entry(""), "'' is not a plain name"),
    "a control character": (entry("a\x1b[2J.csv"), "'a\\x1b[2J.csv' is not a plain name"),
    "a name that is not UTF-8": (stored_name(b"\xff\xfe.csv"), "is not a readable zip file"),
    "a name of Windows": (entry("nul.csv"), "is not a plain name"),
    "an unknown file": (entry("run.py"), "'run.py' is not part of a submission"),
    "a link": (entry(external_attr=0o120777 << 16), "'a.csv' is a link"),
    "a device": (entry(external_attr=0o020666 << 16), "'a.csv' is not a file"),
    "a folder": (entry("a.csv/", b""), "'a.csv/' is not a file"),
    "twice": (several("a.csv", "a.csv"), "'a.csv' and 'a.csv' are the same name"),
    "twice in other letters": (several("a.csv", "A.CSV"), "'A.CSV' and 'a.csv' are the same name"),
    "twice in another form of Unicode": (several("a.csv", "ａ.csv"), "are the same name"),
    "encrypted": (patched(CENTRAL + 8, "<H", 1), "'a.csv' is encrypted"),
    "strongly encrypted": (patched(CENTRAL + 8, "<H", 0x2000), "'a.csv' is encrypted"),
    "another method": (entry(compress_type=zipfile.ZIP_BZIP2), "is packed in another way than --submit packs"),
    "streamed": (streamed(), "is packed in another way than --submit packs"),
    "a date": (entry(date_time=(2024, 6, 1, 12, 0, 0)), "carries a date"),
    "a comment of an entry": (entry(comment=b"hello"), "carries a date, a comment"),
    "an extra field": (entry(extra=b"\x99\x99\x02\x00ab"), "carries a date, a comment or other fields"),
    "too large an entry": (entry("a.csv", os.urandom(1001)), "'a.csv' has 1,001 bytes, at most 1,000 are expected"),
    "a bomb": (bomb(20_000_000), "'c.csv' unpacks to more than 100 times its size"),
    "too much together": (
        zipped.pack({"c.csv": bytes(30_000_000), "d.csv": bytes(30_000_000)}),
        "its entries have more than 48 MiB together",
    ),
    "a comment": (WHOLE[:-2] + b"\5\0hello", "does not end as a zip file ends"),
    "something behind": (WHOLE + b"more", "does not end as a zip file ends"),
    "something before": (with_prefix(), "overlaps another entry, or bytes stand before it"),
    "a gap": (with_gap(), "its entries do not end where its directory begins"),
    "overlapping": (overlapping(), "overlaps another entry"),
    "zip64": (zip64(), "is in the zip64 format"),
    "more entries than it says": (
        patched(len(WHOLE) - 14, "<2H", 1, 1),
        "its directory has 2 entries and its last record names 1",
    ),
    "two numbers of entries": (patched(len(WHOLE) - 14, "<H", 1), "its last record contradicts the file"),
    "a directory elsewhere": (patched(len(WHOLE) - 6, "<L", 5), "its last record contradicts the file"),
    "another disk": (patched(len(WHOLE) - 18, "<H", 1), "its last record contradicts the file"),
    "zip64's marks": (patched(len(WHOLE) - 6, "<L", 0xFFFFFFFF), "its last record contradicts the file"),
    "another local name": (patched(LOCAL + 30, "<B", ord("c")), "'b.json' has a header that says otherwise"),
    "another local size": (patched(LOCAL + 22, "<L", 1), "'b.json' has a header that says otherwise"),
    "another local checksum": (patched(LOCAL + 14, "<L", 1), "'b.json' has a header that says otherwise"),
    "another local method": (patched(LOCAL + 8, "<H", 0), "'b.json' has a header that says otherwise"),
    "encrypted in its own header": (patched(LOCAL + 6, "<H", 1), "'b.json' has a header that says otherwise"),
    "no header": (patched(LOCAL, "<L", 0), "'b.json' has no header where the directory says"),
    "a header far away": (patched(SECOND + 42, "<L", 0x7FFFFFFF), "'b.json' has no header where the directory says"),
    "a wrong checksum": (
        patched(LOCAL + 14, "<L", 1, data=patched(SECOND + 16, "<L", 1)),
        "b.json is damaged: its size or checksum",
    ),
    "larger than it says": (understated(), "b.json is damaged: its size or checksum"),
    "damaged": (patched(35, "<L", 0xFFFFFFFF), "a.csv is damaged"),
    "a later version": (patched(CENTRAL + 6, "<H", 99), "is not a readable zip file"),
    "a directory that is none": (patched(CENTRAL, "<L", 0), "is not a readable zip file"),
    "many entries": (several(*(f"{number}.csv" for number in range(33))), "has 33 entries, at most 32"),
    "cut off": (WHOLE[:-1], "does not end as a zip file ends"),
    "empty": (b"", "does not end as a zip file ends"),
    "no zip": (b"hello" * 100, "does not end as a zip file ends"),
}


@pytest.mark.parametrize("data, expected", HOSTILE.values(), ids=HOSTILE)
def test_refused(tmp_path, data, expected):
    file = tmp_path / "x.zip"
    file.write_bytes(data)
    with pytest.raises(BadInput) as error:
        zipped.read(file, LIMITS)
    assert expected in str(error.value) and "is refused and nothing of it was used" in str(error.value)


def test_every_fault_of_an_entry_is_told(tmp_path):
    (tmp_path / "x.zip").write_bytes(entry("../a.csv", external_attr=0o120777 << 16, date_time=(2024, 1, 1, 0, 0, 0)))
    with pytest.raises(BadInput, match="is a link; .*carries a date"):
        zipped.read(tmp_path / "x.zip", LIMITS)


def test_packed_and_read(tmp_path):
    (tmp_path / "x.zip").write_bytes(WHOLE)
    assert zipped.read(tmp_path / "x.zip", LIMITS) == HONEST
    assert zipped.pack(dict(reversed(HONEST.items()))) == WHOLE, "the order of making shows"
    with zipfile.ZipFile(tmp_path / "x.zip") as archive:
        assert archive.testzip() is None and archive.namelist() == sorted(HONEST)
    stored = entry("a.csv", b"x" * 9, compress_type=zipfile.ZIP_STORED)
    (tmp_path / "y.zip").write_bytes(stored)
    assert zipped.read(tmp_path / "y.zip", LIMITS) == {"a.csv": b"x" * 9}


def test_every_flipped_bit_is_noticed_or_harmless(tmp_path):
    """No single changed bit raises anything but BadInput, or gives contents other than the honest ones."""
    file = tmp_path / "x.zip"
    refused = 0
    for place in range(len(WHOLE) * 8):
        data = bytearray(WHOLE)
        data[place // 8] ^= 1 << place % 8
        file.write_bytes(data)
        try:
            found = zipped.read(
                file, {**LIMITS, **dict.fromkeys((chr(code) + ".csv" for code in range(97, 123)), 1000)}
            )
        except BadInput:
            refused += 1
            continue
        assert list(found.values()) == list(HONEST.values()) or found == HONEST
    assert refused > len(WHOLE) * 6


def test_no_files(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "no.zip", tmp_path, tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(BadInput, match="is not a file"):
            zipped.read(zipped.Path(path), LIMITS)
    with open(tmp_path / "large.zip", "wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(BadInput, match="more than 32 MiB"):
        zipped.read(tmp_path / "large.zip", LIMITS)


MEASURE = """
import re, sys, time
from cmcbench.submission import verify
from cmcbench.errors import BadInput
from cmcbench.runtime.messages import say
begun = time.monotonic()
try:
    code = verify.main([sys.argv[1]])
except BadInput as error:
    print(str(error)[:300])
    code = 2
# of this program alone; getrusage would also tell of the one that started it
peak = re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]
print(code, time.monotonic() - begun, peak)
"""


def noisy(part: str, size: int) -> bytes:
    """About `size` bytes of a repeated part with a number in it, which deflate does not bring below a hundredth."""
    count = size // len(part.format(0xFFFFFF))
    return "".join(part.format(number * 2654435761 % (1 << 24)) for number in range(count)).encode()


def millions_of_entries() -> bytes:
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 33, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    count = 600_000
    return one * count + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(one) * count, 0, 0)


def submission(**files: bytes) -> bytes:
    return zipped.pack({name.replace("_", "."): data for name, data in files.items()})


SUMMARY = json.dumps({"metrics": {f"m{number}": {} for number in range(40)}}).encode()
COSTLY = {
    "a bomb of 256 MB": lambda: bomb(1 << 28, "scores.csv"),
    "600,000 entries": millions_of_entries,
    "8 MB of empty objects": lambda: submission(
        manifest_json=b'{"modes": [' + noisy("[],{{}},[],{{}},{:8d},", 8_000_000) + b"0]}"
    ),
    "1 MB of keys": lambda: submission(
        summary_json=b'{"over_modes": {' + noisy('"{:06x}":1,', 1_000_000) + b'"x": 1}}'
    ),
    "a million rows": lambda: submission(scores_csv=b"name,mode\n" + noisy("{:06x},f\n", 9_000_000)),
    "12 MB of cells": lambda: submission(
        scores_csv=",".join(
            ["name,type,source,mode,kind,bpp,ground_truth,reconstruction", *(f"m{number}" for number in range(40))]
        ).encode()
        + b"\n"
        + noisy("{:06x}.png,other,,full,,,0123456789abcdef,0123456789abcdef" + ",1" * 40 + "\n", 2_900_000),
        summary_json=SUMMARY,
    ),
    "one line of 8 MB": lambda: submission(rates_csv=noisy("{:06x},", 8_000_000)),
    "checksums without end": lambda: submission(reconstructions_sha256=noisy("{:06x}\n", 4_000_000)),
}


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("make", COSTLY.values(), ids=COSTLY)
def test_time_and_memory_are_bounded(tmp_path, make):
    """A process of its own for each, since a peak is never taken back. Python and the libraries alone take about 40
    MB.
    """
    (tmp_path / "x.zip").write_bytes(make())
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "x.zip"], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    code, seconds, kilobytes = map(float, done.stdout.splitlines()[-1].split())
    assert code in (1, 2) and seconds < 60 and kilobytes < 700_000, (done.stdout[-500:], seconds, kilobytes)
