"""Put the pictures of several folders side by side, one row an image, with the folders' names above.

python tools/side_by_side.py --output sheet.png ground_truth=samples/GT reference=demo/Ref/image ...
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

GAP, HEAD = 6, 26  # pixels


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--output", required=True, type=Path, help="the PNG to write")
    options.add_argument("--images", default="", metavar="STEM,STEM", help="only these images, in this order")
    options.add_argument("--width", type=int, default=320, help="pixels of a column")
    options.add_argument("columns", nargs="+", metavar="LABEL=FOLDER")
    arguments = options.parse_args()
    columns = dict(column.split("=", 1) for column in arguments.columns if "=" in column)
    if len(columns) < len(arguments.columns):
        options.error("each column is LABEL=FOLDER, with a label of its own")
    folders = {label: {path.stem: path for path in Path(folder).glob("*.png")} for label, folder in columns.items()}
    common = set.intersection(*(set(folder) for folder in folders.values()))
    stems = [stem for stem in arguments.images.split(",") if stem in common] or sorted(common)
    if not stems:
        print("error: the folders have no image in common", file=sys.stderr)
        return 2
    sheet(folders, stems, arguments.width).save(arguments.output, optimize=True)
    return 0


def sheet(folders: dict[str, dict[str, Path]], stems: list[str], width: int) -> Image.Image:
    """The pictures as one RGB image: a column a folder, a row a stem, each brought to `width` pixels."""
    rows = []
    for stem in stems:
        pictures = []
        for folder in folders.values():
            with Image.open(folder[stem]) as image:
                height = round(image.height * width / image.width)
                pictures.append(image.convert("RGB").resize((width, height), Image.Resampling.LANCZOS))
        rows.append(pictures)
    total = HEAD + sum(max(picture.height for picture in row) + GAP for row in rows)
    canvas = Image.new("RGB", (len(folders) * (width + GAP) + GAP, total + GAP), "white")
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(size=15)
    for place, label in enumerate(folders):
        draw.text((GAP + place * (width + GAP), 4), label, fill="black", font=font)
    top = HEAD
    for row in rows:
        for place, picture in enumerate(row):
            canvas.paste(picture, (GAP + place * (width + GAP), top))
        top += max(picture.height for picture in row) + GAP
    return canvas


if __name__ == "__main__":
    sys.exit(main())
