"""The pictures of render_samples.py that show a game and a film: chess board, movie frame."""

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from sample_drawing import Canvas, fbm, font, landscape

POSITION = ("r.bq.rk.", "..p.bppp", "p.np.n..", ".p..p...", "....P...", ".BP..N.P", "PP.P.PP.", "RNBQR.K.")
MOVES = ("e4 e5", "Nf3 Nc6", "Bb5 a6", "Ba4 Nf6", "O-O Be7", "Re1 b5", "Bb3 d6", "c3 O-O", "h3")
GLYPHS = dict(zip("kqrbnp", "\u265a\u265b\u265c\u265d\u265e\u265f"))


def chess_game():
    """A chess program: wooden board, pieces with shadows, clocks and the list of moves."""
    c, size, left, top = Canvas(736, 512, "#26282c"), 57, 28, 28
    yy, xx = np.mgrid[0:512, 0:512]
    grain = fbm(xx / 110, yy / 6, 3, 11)
    square = (xx - left) // size + (yy - top) // size
    inside = (np.minimum(xx - left, yy - top) >= 0) & (np.maximum(xx - left, yy - top) < 8 * size)
    wood = np.where((square % 2 == 0)[..., None], (236, 214, 176), (176, 126, 82))
    wood = np.where(inside[..., None], wood, (74, 48, 32)) * (0.87 + 0.22 * grain[..., None])
    c.image.paste(Image.fromarray(np.clip(wood, 0, 255).astype(np.uint8)))
    for column, row in ((7, 6), (7, 5)):  # the last move, h2-h3
        c.shape(
            "rectangle",
            [(left + size * column, top + size * row), (left + size * (column + 1) - 1, top + size * (row + 1) - 1)],
            "#f6e24a",
            alpha=0.5,
        )
    for i in range(8):
        c.text(left + size * i + size // 2, 498, "abcdefgh"[i], 13, "#e3cfae", "Sans-Bold", "mm")
        c.text(14, top + size * i + size // 2, str(8 - i), 13, "#e3cfae", "Sans-Bold", "mm")
    big = 3  # the pieces are drawn large and scaled down
    layer = Image.new("RGBA", (512 * big, 512 * big))
    draw = ImageDraw.Draw(layer)
    for row, line in enumerate(POSITION):
        for column, piece in enumerate(line.replace(".", " ")):
            fill, edge = ("#fbf7ee", "#2c211a") if piece.isupper() else ("#2b2623", "#0d0b0a")
            middle = (big * (left + size * column + size / 2), big * (top + size * row + size - 9))
            draw.text(
                middle,
                GLYPHS.get(piece.lower(), ""),
                fill,
                font("Sans", 45 * big),
                "ms",
                stroke_width=4,
                stroke_fill=edge,
            )
    layer = layer.resize((512, 512), Image.LANCZOS)
    shadow = layer.getchannel("A").filter(ImageFilter.GaussianBlur(2.5)).point(lambda a: a * 0.6)
    c.image.paste("#1c120a", (2, 4), shadow)
    c.image.paste(layer, (0, 0), layer)
    for y, name, rating, clock, color, active in (
        (24, "Otto", 1874, "04:51", "#17181b", True),
        (432, "Mara", 1902, "05:37", "#f0f0ee", False),
    ):
        c.box(530, y, 188, 56, "#34373d", radius=8, border="#6fae55" if active else "#44474e")
        c.circle(556, y + 28, 16, color)
        c.text(556, y + 28, "\u265e", 21, "#d8d8d8" if active else "#26282c", anchor="mm")
        c.text(580, y + 26, name, 14, "#ffffff", "Sans-Bold")
        c.text(580, y + 43, f"Rating {rating}", 10, "#a9adb5")
        c.box(656, y + 14, 54, 28, "#6fae55" if active else "#202226", radius=5)
        c.text(683, y + 28, clock, 14, "#ffffff", "SansMono-Bold", "mm")
    c.box(530, 92, 188, 262, "#2e3136", radius=8, border="#44474e")
    c.text(544, 114, "Ruy Lopez, closed", 12, "#f2f2f2", "Sans-Bold")
    for i, pair in enumerate(MOVES):
        y = 142 + 23 * i
        if i % 2 == 0:
            c.box(536, y - 16, 176, 23, "#363a40", radius=3)
        c.text(544, y, f"{i + 1}.", 12, "#8d929b")
        for x, move in zip((580, 650), pair.split()):
            if (i, x) == (8, 580):
                c.box(x - 6, y - 14, 34, 19, "#8a7a2a", radius=3)
            c.text(x, y, move, 12, "#ffffff", "Sans-Bold" if i == 8 else "Sans")
    for x, label, fill in ((530, "Draw", "#474b53"), (594, "Resign", "#a8443c"), (658, "Hint", "#3f76b5")):
        c.box(x, 374, 60, 34, fill, radius=6)
        c.text(x + 30, 391, label, 12, "#ffffff", "Sans-Bold", "mm")
    return c.image


def pine(draw, x, y, height, rng, fill):
    """Draw the silhouette of a fir tree standing at (x, y)."""
    draw.line([(x, y), (x, y - height)], fill, max(2, int(height / 70)))
    for t in np.linspace(0.02, 0.97, int(12 + height / 12)):
        for side in (-1, 1):
            reach = side * height * 0.24 * (1.02 - t) * rng.uniform(0.6, 1.1)
            tip = y - height * t + abs(reach) * rng.uniform(0.25, 0.6)
            thick = height * 0.035 * (1.2 - t)
            draw.polygon([(x, y - height * t - thick), (x + reach, tip), (x, tip - thick * 0.2)], fill)


def walker(draw, x, y, tall, lean, fill):
    """Draw the silhouette of a walker with rucksack and stick who looks to side `lean`."""
    outlines = (
        ((-0.12, 0.80), (0.06, 0.83), (0.12, 0.62), (0.10, 0.42), (-0.12, 0.42)),  # trunk
        ((-0.11, 0.44), (0.05, 0.44), (-0.04, 0.22), (-0.10, 0.01), (-0.19, 0.01), (-0.13, 0.22)),  # leg
        ((-0.02, 0.44), (0.10, 0.44), (0.13, 0.23), (0.14, 0.01), (0.04, 0.01), (0.05, 0.22)),  # leg
        ((-0.10, 0.82), (-0.22, 0.80), (-0.27, 0.62), (-0.22, 0.46), (-0.10, 0.46)),  # rucksack
        ((0.00, 0.78), (0.07, 0.76), (0.18, 0.60), (0.29, 0.61), (0.29, 0.56), (0.14, 0.55)),  # arm
        ((0.28, 0.72), (0.295, 0.72), (0.34, 0.0), (0.325, 0.0)),  # stick
        ((-0.04, 0.86), (0.04, 0.86), (0.04, 0.78), (-0.04, 0.78)),  # neck
    )
    for outline in outlines:
        draw.polygon([(x + dx * tall * lean, y - dy * tall) for dx, dy in outline], fill)
    draw.ellipse([x - tall * 0.075, y - tall * 0.99, x + tall * 0.075, y - tall * 0.83], fill)


def movie_frame():
    """A wide-screen film frame: two walkers above a lake, letterbox bars and a subtitle."""
    width, height, active, big = 640, 360, 268, 3
    rng = np.random.RandomState(5)
    view = landscape(width, active, 6)
    layer = Image.new("RGBA", (width * big, active * big))
    draw = ImageDraw.Draw(layer)
    dark = (17, 18, 20, 255)
    xs = np.arange(0, width * big + 1, 3)
    slope = np.interp(xs / big, (0, 125, 217, 275, 392, 533, 640), (172, 187, 197, 218, 260, 265, 238))
    rocks = (fbm(xs / 100, 0 * xs, 6, 8) - 0.5) * 22 * big
    ledge = slope * big + rocks
    draw.polygon([(0, active * big), *zip(xs, ledge), (width * big, active * big)], dark)
    for x in (12, 37, 55, 82, 575, 597, 615, 633):
        foot = np.interp(x * big, xs, ledge)
        pine(draw, x * big, foot + 6, rng.uniform(55, 125) * big, rng, dark)
    for x, tall, lean in ((163, 40, 1), (186, 36, -1)):
        walker(draw, x * big, np.interp(x * big, xs, ledge) + 4, tall * big, lean, dark)
    layer = layer.resize((width, active), Image.LANCZOS)
    view.paste(layer, (0, 0), layer)
    pixels = np.asarray(view, float)
    yy, xx = np.mgrid[-1 : 1 : active * 1j, -1 : 1 : width * 1j]
    pixels *= (1.17 - 0.32 * (xx**2 + yy**2 * 0.6))[..., None]
    pixels += rng.normal(0, 0.9, (active, width, 1))  # film grain
    graded = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
    c = Canvas(width, height, "#000000")
    c.image.paste(graded, (0, (height - active) // 2))
    for y, line in ((276, "We should reach the valley"), (298, "before the snow does.")):
        c.text(width // 2, y, line, 18, "#f6f4ea", anchor="ms", stroke_width=2, stroke_fill="#0b0b0b")
    return c.image
