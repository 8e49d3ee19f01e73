"""What is there of Text/NAME.csv: resumed, grown by journals, and saved with its manifest Text/NAME.json."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from models import sources
from models.base import Caption
from models.secrets import without_secrets, without_secrets_in

from ..errors import BadInput, ImageProblem
from ..files import captions, manifest
from ..files.images import picture_bytes
from ..files.store import digest, read_json, write_json
from ..protocol import i2t_prompt
from ..runtime.pace import Pace
from . import journal

if TYPE_CHECKING:
    from .request import EncodeRequest

Entry = TypeVar("Entry")  # a caption, or what one was made of


class CaptionLedger:
    """The captions of one process.

    settings: what they are made with, as far as it is known yet. texts: image name -> caption. made_of: image name ->
    digest of the picture, finish reason, usage, seconds. begun: the settings of the captions that were there. chosen:
    the names of the images of this run.
    """

    def __init__(self, request: EncodeRequest) -> None:
        self.request = request
        self.record_file = request.file.with_suffix(".json")
        checkpoint, self._asked_revision = request.model_dir, None
        if request.model.runs_on != "server":  # whose ids may hold an @
            checkpoint, self._asked_revision = sources.unpinned(request.model_dir)
        self.settings: dict[str, Any] = {
            "model": request.model_name,
            "checkpoint": manifest.checkpoint(checkpoint),
            "prompt": i2t_prompt(request.words),
            "words": request.words,
            "seed": request.seed,
            "dtype": None if request.dtype == "auto" else request.dtype,
            "command": without_secrets(request.options.get("command") or ""),
            "adapter": request.adapter,
            "max_tokens": request.options.get("max_tokens"),
            "image_max": request.options.get("image_max"),
        }
        self.addresses: list[str] = []  # of the servers that the captions are from, where it moved
        self.texts: dict[str, str] = {}
        self.made_of: dict[str, dict[str, Any]] = {}
        self.begun: dict[str, Any] = {}
        self.chosen = {path.name for path in request.images.values()}
        self._spelled = {unicodedata.normalize("NFC", name): name for name in request.order}
        # Only then may --overwrite drop what cannot be read: it may hold images that are not chosen
        self._all_again = request.overwrite and self.chosen >= set(request.order)
        self._journal = journal.Journal(request.file, request.ranks.number, lasting=request.model.runs_on == "server")
        self._unsaved, self._pace = False, Pace(at_least=0.0)  # the journal has what is not saved yet

    def open(self) -> None:
        """Take over what is there, but for what is to be made again. Raises BadInput where other settings made it."""
        self._resume()
        journals = self.merge_journals()
        self._drop_stale()
        self.begun = self.begun if self.texts else {}
        # What only a loaded model can tell
        self.settings |= {key: value for key, value in self.begun.items() if self.settings.get(key) is None}
        self.take_over(journals)

    def check_loaded_settings(self, dtype: str | None) -> None:
        """Settings that the loaded model has. Raises BadInput where captions are there that were made with others."""
        model = self.request.model
        revision = model.revision or self._asked_revision
        late: dict[str, Any] = without_secrets_in({"dtype": dtype, "revision": revision, **model.identity})
        before, now = self.begun.get("server"), late.get("server")
        if before and now and (same_address(before, now) or self.request.same_model):
            if not same_address(before, now):
                self.addresses = [*self.addresses, before] if before not in self.addresses else self.addresses
            self.begun["server"] = now
        if problem := manifest.differences(self.begun, late):
            moved = before and problem.startswith("server was") and before != now and "," not in problem
            remedy = " If it is the same model at a new address, add --same_model." if moved else ""
            raise BadInput(
                f"{self.request.file} was begun otherwise: {problem}.{remedy} Go on with the same (--dtype, --api_base,"
                " --model_dir), write elsewhere with --result_name, or make all captions again with --overwrite."
            )
        self.settings |= {key: value for key, value in late.items() if value is not None}

    def keep(self, name: str, text: str, answer: Caption, picture: str, seconds: float | None) -> None:
        """Keep a caption, at once also in the journal. picture: the digest of its file. seconds: a share of its
        batch's.
        """
        self.texts[name] = text
        reason = answer.finish_reason if isinstance(answer.finish_reason, str) else None
        made_of = self.made_of[name] = {"sha256": picture, "finish_reason": without_secrets_in(reason)}
        if usage := journal.countable(answer.usage):
            made_of["usage"] = usage
        if seconds is not None:
            made_of["seconds"] = seconds
        self._journal.add(self.settings, name, text, made_of)
        self._unsaved = True

    def save_if_due(self) -> None:
        """Save, unless it was done a moment ago: all savings together stay a small part of the run."""
        if self.request.ranks.first and self._unsaved and self._pace.due:
            self._save()

    def merge_journals(self) -> list[Path]:
        """Add the captions of other processes' journals, of this run or of one that was killed. Returns their paths."""
        paths = journal.found(self.request.file)
        for path in paths:
            try:
                kept = journal.read(path)
            except BadInput:
                if not self._all_again:
                    raise
                continue
            if problem := manifest.differences(without_secrets_in(kept.settings), self.settings):
                if not self.request.overwrite or self._as_here(kept.texts).keys() - self.chosen:
                    whole = " without --subset and --images" if self.request.overwrite else ""
                    raise BadInput(
                        f"{path} holds captions of another run: {problem}. Finish that run, or use --overwrite{whole}."
                    )
                continue
            self.texts |= self._as_here(kept.texts)
            self.made_of |= self._as_here(kept.images)
            self.begun = self.begun or kept.settings
        return paths

    def take_over(self, journals: list[Path]) -> None:
        """Save what these journals hold by now without them."""
        if journals and self.texts:
            self._save()
        for path in journals:
            path.unlink()

    def end(self) -> None:
        """Save what is not saved yet; a process other than 0 leaves its journal to that."""
        self._journal.close()
        if self.request.ranks.first and self._unsaved:
            self._save()
        if self.request.ranks.first:
            self._journal.remove()

    def _resume(self) -> None:
        """Take over what is there, if the same settings made it; refuse it otherwise, or drop it where asked to."""
        request = self.request
        if not request.file.exists():
            return
        try:
            found, record = captions.read(request.file), self._record()
        except BadInput:
            if not self._all_again:
                raise
            return
        texts = self._as_here(found.texts)
        others = [name for name in texts if name not in self.chosen]
        if record is None:
            problem = "was not made by this program (it has no manifest beside it)"
        else:
            problem = manifest.differences(without_secrets_in(record.get("settings", {})), self.settings)
            problem = problem and f"has other settings: {problem}"
        if problem and (others or not request.overwrite):
            kept = f" {len(others)} of its captions are not among the images chosen now." if request.overwrite else ""
            raise BadInput(
                f"{request.file} {problem}.{kept} Write elsewhere with --output_path, or make all captions again with "
                "--overwrite (without --subset and --images)."
            )
        self.texts = texts
        self.made_of = self._as_here(record.get("images", {})) if record else {}
        self.begun = dict(record.get("settings", {})) if record else {}
        self.addresses = list(record.get("addresses", [])) if record else []

    def _as_here(self, by_name: Mapping[str, Entry]) -> dict[str, Entry]:
        """The same by the names of the ground truth, which may be spelled in another of Unicode's forms (NFC, NFD)."""
        return {self._spelled.get(unicodedata.normalize("NFC", name), name): each for name, each in by_name.items()}

    def _record(self) -> dict[str, Any] | None:
        """The manifest beside the captions, None where there is none. Raises BadInput for a broken one."""
        record = read_json(self.record_file)
        if record is None:
            return None
        try:
            settings, images = record.get("settings", {}), record.get("images", {})
            if not (isinstance(settings, dict) and isinstance(images, dict)):
                raise ValueError("it lacks settings or images")
            addresses = record.get("addresses", [])
            if not (isinstance(addresses, list) and all(isinstance(address, str) for address in addresses)):
                raise ValueError("its addresses are no list of texts")
            return {
                "settings": without_secrets_in(settings),
                "addresses": addresses,
                "images": {name: journal.read_made_of(made_of) for name, made_of in images.items()},
            }
        except (ValueError, TypeError) as error:
            raise BadInput(
                f"{self.record_file} is no manifest of captions ({error}). Move it away, then use --overwrite."
            ) from None

    def _drop_stale(self) -> None:
        """Forget the captions that are to be made again, or that are of a picture that has changed since."""
        for name, path in ((path.name, path) for path in self.request.images.values()):
            if self.request.overwrite or self._changed(name, path):
                self.texts.pop(name, None)
                self.made_of.pop(name, None)

    def _changed(self, name: str, path: Path) -> bool:
        """Whether the picture is another one than the caption was made from; the new one gets a caption of its own."""
        before = self.made_of.get(name, {}).get("sha256")
        try:
            return name in self.texts and before is not None and before != digest(picture_bytes(path))
        except ImageProblem:
            return False

    def _save(self) -> None:
        """Write the manifest and the CSV. The manifest first: a caption without one would look like somebody else's."""
        order = {name: place for place, name in enumerate(self.request.order)}
        names = sorted(self.texts, key=lambda name: (order.get(name, len(order)), name))
        record = {
            "settings": self.settings,
            "baseline": self.request.model.baseline,
            "model_dir": without_secrets_in(self.request.model_dir),
            **({"addresses": self.addresses} if self.addresses else {}),
            "environment": manifest.environment(),
            "usage": _total(self.made_of),
            "images": {name: self.made_of[name] for name in names if name in self.made_of},
        }
        with self._pace.saving():
            write_json(self.record_file, record)
            captions.write(self.request.file, {name: self.texts[name] for name in names})
        self._unsaved = False


def same_address(one: str, other: str) -> bool:
    """Whether two addresses (host, perhaps with a port) are one server's: names of this machine mean the same."""
    return _plain_address(one) == _plain_address(other)


def _plain_address(address: str) -> str:
    host, port = re.fullmatch(r"(\[[^\]]*\]|[^:]*)(?::(\d+))?.*", address.strip().lower()).groups()
    host = host.strip("[]").rstrip(".")
    if re.fullmatch(r"localhost|127(\.\d{1,3}){3}|(0*:)*0*1|::1|0\.0\.0\.0|", host):
        host = "localhost"
    return f"{host}:{port}" if port not in (None, "80", "443") else host


def _total(made_of: dict[str, dict[str, Any]]) -> dict[str, float]:
    """What all captions cost: the sums of the numbers that the model gave for each (tokens, perhaps dollars)."""
    total: dict[str, float] = {}
    for made in made_of.values():
        for key, value in (made.get("usage") or {}).items():
            if isinstance(value, (int, float)):
                total[key] = round(total.get(key, 0) + value, 6)
    return total
