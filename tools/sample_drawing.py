"""Drawing helpers of render_samples.py: an anti-aliased canvas and a landscape renderer."""

from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageColor, ImageDraw, ImageFilter, ImageFont

FONT_DIR = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
SUPERSAMPLE = 4  # anti-aliasing factor of vector shapes


@cache
def font(name, size):
    """Return a DejaVu font, e.g. font("Sans-Bold", 14)."""
    path = str(FONT_DIR / f"DejaVu{name}.ttf")
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


class Canvas:
    """An RGB picture with anti-aliased shapes, soft shadows and text."""

    def __init__(self, width, height, fill="#ffffff"):
        self.image = Image.new("RGB", (width, height), fill)

    def shape(self, kind, points, fill, alpha=1.0, **options):
        """Draw an ImageDraw primitive (`kind` is its method name), anti-aliased."""
        points = np.asarray(points, float).reshape(-1, 2)
        margin = 2 + options.get("width", 0)
        x0, y0 = np.floor(points.min(0) - margin).astype(int)
        x1, y1 = np.ceil(points.max(0) + margin).astype(int)
        mask = Image.new("L", ((x1 - x0) * SUPERSAMPLE, (y1 - y0) * SUPERSAMPLE))
        for key in {"width", "radius"} & options.keys():
            options[key] = round(options[key] * SUPERSAMPLE)
        scaled = [tuple(p) for p in (points - (x0, y0)) * SUPERSAMPLE]
        getattr(ImageDraw.Draw(mask), kind)(scaled, fill=round(255 * alpha), **options)
        self.image.paste(fill, (x0, y0), mask.resize((x1 - x0, y1 - y0), Image.BOX))

    def box(self, x, y, w, h, fill, radius=0, border=None, shadow=0):
        """Draw a (rounded) rectangle with an optional one-pixel border and shadow."""
        if shadow:
            mask = Image.new("L", self.image.size)
            rect = (x, y + shadow // 2, x + w, y + h + shadow // 2)
            ImageDraw.Draw(mask).rounded_rectangle(rect, radius, fill=40 + 4 * shadow)
            self.image.paste("#101418", mask=mask.filter(ImageFilter.GaussianBlur(shadow)))
        edge = SUPERSAMPLE**-1  # ImageDraw includes the last row and column
        if border:
            self.shape("rounded_rectangle", [(x, y), (x + w - edge, y + h - edge)], border, radius=radius)
            x, y, w, h, radius = x + 1, y + 1, w - 2, h - 2, max(radius - 1, 0)
        self.shape("rounded_rectangle", [(x, y), (x + w - edge, y + h - edge)], fill, radius=radius)

    def circle(self, x, y, r, fill, **options):
        """Draw a filled circle around (x, y)."""
        self.shape("ellipse", [(x - r, y - r), (x + r, y + r)], fill, **options)

    def text(self, x, y, string, size=12, fill="#202124", name="Sans", anchor="ls", **options):
        """Write one line; returns the x coordinate behind it."""
        face = font(name, size)
        ImageDraw.Draw(self.image).text((x, y), string, fill, face, anchor, **options)
        return x + face.getlength(string)

    def paragraph(self, x, y, width, string, size, leading, **options):
        """Write word-wrapped text; returns the baseline of the line after it."""
        face, line = font(options.get("name", "Sans"), size), ""
        for word in string.split() + [None]:
            if word is None or face.getlength(f"{line} {word}") > width:
                self.text(x, y, line, size, **options)
                line, y = word, y + leading
            else:
                line = f"{line} {word}".strip()
        return y

    def vertical_gradient(self, top, bottom):
        """Fill the whole picture with a vertical gradient."""
        ends = [np.array(ImageColor.getrgb(c), float) for c in (top, bottom)]
        t = np.linspace(0, 1, self.image.height)[:, None, None]
        rows = np.broadcast_to(ends[0] + (ends[1] - ends[0]) * t, (self.image.height, self.image.width, 3))
        self.image = Image.fromarray((rows + 0.5).astype(np.uint8))


def fbm(x, y, octaves, seed, ridged=False):
    """Fractal value noise in about [0, 1] at the points (x, y)."""
    table = np.random.RandomState(seed).rand(256, 256)
    total, weight = np.zeros(np.broadcast(x, y).shape), 0.0
    for octave in range(octaves):
        xf, yf = x * 2.03**octave + 17.3 * octave, y * 2.03**octave + 9.1 * octave
        xi, yi = np.floor(xf).astype(int), np.floor(yf).astype(int)
        u, v = xf - xi, yf - yi
        u, v = u * u * u * (u * (u * 6 - 15) + 10), v * v * v * (v * (v * 6 - 15) + 10)
        a, b = table[yi & 255, xi & 255], table[yi & 255, (xi + 1) & 255]
        c, d = table[(yi + 1) & 255, xi & 255], table[(yi + 1) & 255, (xi + 1) & 255]
        value = a + (b - a) * u + (c - a) * v + (a - b - c + d) * u * v
        total += (1 - abs(2 * value - 1) if ridged else value) * 0.5**octave
        weight += 0.5**octave
    return total / weight


def terrain(x, z, seed, octaves=9):
    """Height of the landscape: ridged mountains that rise away from a lake."""
    ridges = fbm(x * 0.16, z * 0.16, octaves, seed, ridged=True) ** 2
    bowl = np.clip((np.hypot(x * 0.8, z - 6.0) - 4.2) / 9.0, 0, 1)
    return 4.6 * ridges * bowl - 0.55 + 0.8 * bowl


def landscape(width, height, seed, sun=(-0.72, 0.36, 0.35), scale=2):
    """Ray-march a mountain lake at dusk; returns an RGB picture."""
    w, h = width * scale, height * scale
    camera, horizon, focal = 0.55, h * 0.52, w * 0.9
    sun = np.array(sun) / np.linalg.norm(sun)
    column = (np.arange(w) + 0.5 - w / 2) / focal
    rows = np.arange(h) + 0.5
    depth = 0.6 * 1.0075 ** np.arange(540)
    # Project the terrain for every (depth, column), then look up each row's first hit.
    ground = np.maximum(terrain(column * depth[:, None], depth[:, None], seed), 0)
    top = np.minimum.accumulate(horizon + (camera - ground) * focal / depth[:, None], 0)
    hit = np.stack([np.searchsorted(-top[:, i], -rows) for i in range(w)], 1)
    sky = hit >= len(depth)
    k = np.clip(hit, 1, len(depth) - 1)
    above, below = np.take_along_axis(top, k - 1, 0), np.take_along_axis(top, k, 0)
    part = np.clip((above - rows[:, None]) / np.maximum(above - below, 1e-6), 0, 1)
    z = depth[k - 1] * (1 - part) + depth[k] * part
    x = column * z
    y, step = terrain(x, z, seed), 0.004 * z
    normal = np.stack([y - terrain(x + step, z, seed), step, y - terrain(x, z + step, seed)], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    light = np.clip(normal @ sun, 0, 1)
    for t in np.geomspace(0.08, 5, 14):  # soft cast shadows
        blocked = terrain(x + sun[0] * t, z + sun[2] * t, seed, 5) - y - sun[1] * t
        light *= np.clip(1.15 - blocked * 4 / t, 0.12, 1)

    def mix(a, b, t):
        return np.array(a) + (np.array(b) - np.array(a)) * np.asarray(t)[..., None]

    rough = fbm(x * 9, z * 9, 4, seed + 1)
    slope = normal[..., 1]
    albedo = mix((0.30, 0.25, 0.22), (0.46, 0.40, 0.36), rough)  # rock
    albedo = mix(
        albedo, (0.16, 0.20, 0.08), np.clip((slope - 0.62) * 5, 0, 1) * np.clip((0.9 - y + rough) * 1.6, 0, 1)
    )  # grass and forest
    snow = np.clip((y - 1.5 + (rough - 0.5) * 1.4) * 2.5, 0, 1) * np.clip((slope - 0.45) * 6, 0, 1)
    albedo = mix(albedo, (0.93, 0.94, 0.98), snow)
    color = albedo * (light[..., None] * (3.0, 2.1, 1.35) + (0.34, 0.40, 0.52))
    up = np.clip((horizon - rows) / h, 0, 1)[:, None] + np.zeros(w)
    glow = np.exp(-(((column + 0.34) / 0.36) ** 2) - (up / 0.26) ** 2)
    air = mix(
        mix((0.86, 0.62, 0.45), (0.24, 0.38, 0.60), np.clip(up * 2.1, 0, 1) ** 0.7), (1.0, 0.80, 0.52), glow * 0.9
    )
    cx, cz = column / (up + 0.09), 1 / (up + 0.09)
    cloud = np.clip((fbm(cx * 0.8 + 3, cz * 0.9, 7, seed + 2) - 0.46) * 3.6, 0, 1)
    air = mix(
        air, mix((0.98, 0.66, 0.46), (0.86, 0.82, 0.84), np.clip(up * 2.5, 0, 1)), cloud * np.clip(up * 9, 0, 1) * 0.85
    )
    color = mix(color, air * (0.80, 0.88, 1.0), 1 - np.exp(-np.maximum(z - 1, 0) / 26))
    color = np.where(sky[..., None], air, color)
    # The lake mirrors what stands above its far shore, broken up by ripples.
    lake = (~sky) & (y < 0.002)
    wave = fbm(x * 14, z * 34, 4, seed + 3) - 0.5
    mirror = 2 * horizon - rows[:, None] + wave * 26 * scale / 2 * np.clip(2 / z, 0.1, 2)
    reflected = color[np.clip(mirror, 0, h - 1).astype(int), np.arange(w)]
    fresnel = 0.9 - 0.45 * np.clip((rows[:, None] - horizon) / (h - horizon), 0, 1)
    water = mix(np.broadcast_to((0.05, 0.09, 0.11), color.shape), reflected, fresnel + 0 * x)
    color = np.where(lake[..., None], water, color)
    color = np.clip(color, 0, None)
    color = color * (1 + color / 2.2) / (1 + color * 0.82)  # filmic roll-off
    picture = Image.fromarray((np.clip(color, 0, 1) * 255 + 0.5).astype(np.uint8))
    return picture.resize((width, height), Image.LANCZOS)
