"""Draws docs/architecture.svg, the rooms of the house and who imports whom, from the code's own imports.

python tools/architecture.py            # writes it
python tools/architecture.py --check    # exit code 1 where it no longer shows the code
"""

from __future__ import annotations

import ast
import sys
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "architecture.svg"
WINGS = ("encode", "decode", "anchors", "score", "board", "submission", "data", "doctor")
# Each floor may import what stands on the floors behind it; files of one floor may import each other
FLOORS = (
    ("__main__",),
    WINGS,
    ("bitstream",),
    ("codecs", "files", "runtime", "published"),
    ("protocol", "statistics"),
    ("errors",),
)
WIDTH, BOX, GAP, HIGH, STEP = 1080, 116, 16, 44, 104  # pixels


def modules(root: Path) -> dict[str, Path]:
    """dotted name -> file, of all Python files of the product; a package is named like its folder."""
    files = [path for top in ("cmcbench", "models") for path in (root / top).rglob("*.py")]
    return {".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path for path in files}


def imports(name: str, path: Path, known: dict[str, Path]) -> set[tuple[str, str]]:
    """(module, imported name or "") of every import of ours in a file, also of those within functions."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {(each.name, "") for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            source = ".".join([*above, *([node.module] if node.module else [])])
            for each in node.names:
                module = f"{source}.{each.name}"
                found.add((module, "") if module in known else (source, each.name))
    return {(module, each) for module, each in found if module in known}


def room(module: str) -> str:
    """The room that a module is in: a part of cmcbench, or models as a whole; "" for cmcbench itself."""
    top, _, rest = module.partition(".")
    return "models" if top == "models" else rest.partition(".")[0]


def arrows(root: Path) -> dict[tuple[str, str], int]:
    """(room, room that it imports) -> number of imports."""
    known = modules(root)
    count: dict[tuple[str, str], int] = {}
    for name, path in known.items():
        for module, _ in imports(name, path, known):
            pair = room(name), room(module)
            if pair[0] != pair[1] and all(pair):
                count[pair] = count.get(pair, 0) + 1
    return count


def picture(root: Path) -> str:
    """The house as SVG: a row a floor, a box a room with its number of files, an arrow where rooms import."""
    places = _places()
    files: dict[str, int] = {}
    for module in modules(root):
        files[room(module)] = files.get(room(module), 0) + 1
    drawn = [_arrow(places[one], places[other]) for one, other in sorted(arrows(root)) if {one, other} <= places.keys()]
    boxes = [_box(name, *place, files.get(name, 0)) for name, place in places.items()]
    height = max(y for _, y in places.values()) + HIGH + 24
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif">',
            '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
            '<path d="M0 0 8 4 0 8z" fill="#8a94a6"/></marker></defs>',
            f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
            *drawn,
            *boxes,
            "</svg>\n",
        ]
    )


def _places() -> dict[str, tuple[int, int]]:
    """room -> left upper corner; models stand beside the wings that use them."""
    found = {}
    for row, rooms in enumerate((("script-*.py", "__main__"), *FLOORS[1:])):
        left = (WIDTH - len(rooms) * (BOX + GAP) + GAP) // 2
        for column, name in enumerate(rooms):
            found[name] = (left + column * (BOX + GAP), 24 + row * STEP)
    found["models"] = (WIDTH - BOX - 24, 24 + 3 * STEP)
    return found


def _box(name: str, x: int, y: int, files: int) -> str:
    fill = "#fff3d6" if name == "models" else "#e3efff" if name in WINGS else "#eef1f5"
    below = f"{files} files" if files > 1 else "three doors" if "*" in name else "one file"
    middle = x + BOX // 2
    return (
        f'<rect x="{x}" y="{y}" width="{BOX}" height="{HIGH}" rx="6" fill="{fill}" stroke="#5b6577"/>'
        f'<text x="{middle}" y="{y + 19}" text-anchor="middle" font-size="14" fill="#1b2433">{escape(name)}</text>'
        f'<text x="{middle}" y="{y + 36}" text-anchor="middle" font-size="11" fill="#5b6577">{below}</text>'
    )


def _arrow(start: tuple[int, int], end: tuple[int, int]) -> str:
    """A line from the lower edge of one box to the upper edge of another, or between the sides of neighbours."""
    if start[1] == end[1]:
        left = start[0] < end[0]
        x1, x2 = (start[0] + BOX, end[0]) if left else (start[0], end[0] + BOX)
        y = start[1] + HIGH // 2
        return f'<path d="M{x1} {y}L{x2} {y}" stroke="#8a94a6" fill="none" marker-end="url(#end)"/>'
    x1, y1, x2, y2 = start[0] + BOX // 2, start[1] + HIGH, end[0] + BOX // 2, end[1]
    bend = (y2 - y1) // 2
    return (
        f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}" stroke="#8a94a6" stroke-opacity=".55" '
        'fill="none" marker-end="url(#end)"/>'
    )


def main(argv: list[str]) -> int:
    """Write the picture, or check that it is current. Returns the exit code."""
    drawn = picture(ROOT)
    if "--check" in argv:
        current = PICTURE.is_file() and PICTURE.read_text(encoding="utf-8") == drawn
        print("docs/architecture.svg is current" if current else "run: python tools/architecture.py")
        return 0 if current else 1
    PICTURE.write_text(drawn, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
