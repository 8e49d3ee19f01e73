"""The large part of the page's data, loaded when it is asked for: every image, its pictures, captions and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ...protocol import content
from .summary_data import ORDER, content_groups, short
from .targets import PageTarget
from .thumbnails import Made, Picture

FEATURED = ("typical", "best", "worst")


@dataclass(frozen=True)
class Gallery:
    """Every picture that the page can show. truth, references: stem -> file, reference's name -> stem -> file.

    stems: all images, sorted. names: stem -> the image's file name.
    """

    targets: list[PageTarget]
    truth: dict[str, Path]
    references: dict[str, dict[str, Path]]
    stems: list[str]
    names: dict[str, str]

    @classmethod
    def of(cls, targets: list[PageTarget], truth: dict[str, Path], references: dict[str, dict[str, Path]]) -> Gallery:
        names = {stem: path.name for stem, path in truth.items()}
        for target in targets:
            for (stem, _), row in target.rows.items():
                names.setdefault(stem, row.name)
        stems = sorted(names)
        known = {
            kind: {stem: path for stem, path in files.items() if stem in names} for kind, files in references.items()
        }
        return cls(
            targets,
            {stem: truth[stem] for stem in stems if stem in truth},
            {k: v for k, v in known.items() if v},
            stems,
            names,
        )

    def without_pictures(self) -> Gallery:
        """The same images, of which scores and captions alone are shown."""
        return replace(self, targets=[replace(target, pictures={}) for target in self.targets], truth={}, references={})

    def folders(self) -> dict[tuple[str, ...], dict[str, Path]]:
        """Where pictures lie below the report's pictures -> stem -> file."""
        found: dict[tuple[str, ...], dict[str, Path]] = {("truth",): self.truth}
        found.update({("references", kind): files for kind, files in self.references.items()})
        for target in self.targets:
            for mode, files in target.pictures.items():
                found["targets", target.key, mode] = {stem: path for stem, path in files.items() if stem in self.names}
        return {place: files for place, files in found.items() if files}

    def pictures(self) -> list[Picture]:
        return [Picture(path, place) for place, files in self.folders().items() for path in files.values()]


def images_data(gallery: Gallery, made: Mapping[Picture, Made]) -> dict[str, Any]:
    """The images themselves: names, content, sizes, ground truth and references."""
    sides = [_made(made, gallery.truth, ("truth",), stem) for stem in gallery.stems]
    kinds = [content(gallery.names[stem]) for stem in gallery.stems]
    return {
        "names": [gallery.names[stem] for stem in gallery.stems],
        "types": [kind for kind, _ in kinds],
        "sources": [source for _, source in kinds],
        "sizes": [[side.width, side.height] if side and side.width else None for side in sides],
        "truth": _paths(gallery, gallery.truth, ("truth",), made),
        "references": {
            kind: _paths(gallery, files, ("references", kind), made) for kind, files in gallery.references.items()
        },
        "groups": content_groups(gallery.names.values(), content),
    }


def target_data(gallery: Gallery, target: PageTarget, made: Mapping[Picture, Made]) -> dict[str, Any]:
    """A target's pictures, scores, bits and captions, in the order of the images."""
    modes = {}
    for mode in ORDER:
        files = target.pictures.get(mode, {})
        rows = [target.rows.get((stem, mode)) for stem in gallery.stems]
        if not files and not any(rows):
            continue
        place = ("targets", target.key, mode)
        names = sorted({name for row in rows if row for name in row.scores})
        modes[mode] = {
            "pictures": _paths(gallery, files, place, made),
            "scores": {name: [short(row.scores.get(name)) if row else None for row in rows] for name in names},
            "bpp": [short(row.bpp) if row else None for row in rows],
            "bits": [row.bits if row else None for row in rows],
            # The scores are of another picture than the one that is shown
            "changed": [
                index
                for index, (stem, row) in enumerate(zip(gallery.stems, rows))
                if row
                and row.reconstruction
                and _digest(_made(made, files, place, stem)) not in ("", row.reconstruction)
            ],
        }
    return {"modes": modes, "captions": [target.texts.get(stem, "") for stem in gallery.stems]}


def _made(made: Mapping[Picture, Made], files: Mapping[str, Path], place: tuple[str, ...], stem: str) -> Made | None:
    """What was made of an image's picture, None where there is none or it cannot be read."""
    return made.get(Picture(files[stem], place)) if stem in files else None


def _digest(picture: Made | None) -> str:
    return picture.digest if picture else ""


def _paths(
    gallery: Gallery, files: Mapping[str, Path], place: tuple[str, ...], made: Mapping[Picture, Made]
) -> list[Any]:
    """[thumbnail, full picture] of every image; 0 where there is no picture, 1 where there is one that cannot be
    read.
    """
    listed: list[Any] = []
    for stem in gallery.stems:
        found = _made(made, files, place, stem)
        listed.append([found.thumb, found.full] if found else 1 if stem in files else 0)
    return listed


def featured(gallery: Gallery, made: Mapping[Picture, Made], metrics: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The picture that greets: of the first target with pictures, the image of median score, then the best and the
    worst.

    Baselines and codecs, which are what the others are compared with, come after them.
    """

    def plain(each: tuple[int, PageTarget]) -> tuple[bool, bool]:
        return "codec" in each[1].manifest, "decoder" in each[1].summary.baseline

    for place, target in sorted(enumerate(gallery.targets), key=plain):
        for mode in ORDER:
            for metric in metrics:
                found = _by_score(gallery, target, mode, metric["name"], made)
                if found:
                    if not metric["lower"]:
                        found.reverse()
                    picks = (found[len(found) // 2], found[0], found[-1])
                    kinds = FEATURED if len(found) >= 3 else FEATURED[:1]
                    return [
                        {**pick, "kind": kind, "target": place, "mode": mode, "metric": metric["name"]}
                        for kind, pick in zip(kinds, picks)
                    ]
    return []


def _by_score(
    gallery: Gallery, target: PageTarget, mode: str, metric: str, made: Mapping[Picture, Made]
) -> list[dict[str, Any]]:
    """The images that can be shown beside their ground truth, from the lowest score to the highest."""
    found = []
    files = target.pictures.get(mode, {})
    for stem in files:
        row = target.rows.get((stem, mode))
        truth = _made(made, gallery.truth, ("truth",), stem)
        picture = _made(made, files, ("targets", target.key, mode), stem)
        if row and metric in row.scores and truth and picture:
            found.append(
                {
                    "name": row.name,
                    "score": row.scores[metric],
                    "bits": row.bits,
                    "bpp": row.bpp,
                    "caption": target.texts.get(stem, ""),
                    "truth": [truth.thumb, truth.full],
                    "picture": [picture.thumb, picture.full],
                    "size": [truth.width, truth.height] if truth.width else None,
                }
            )
    return sorted(found, key=lambda each: (each["score"], each["name"]))
