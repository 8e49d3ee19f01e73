"""The pictures of render_samples.py that show windows: web page, terminal, settings."""

import re

from PIL import ImageFilter
from sample_drawing import Canvas, landscape


def web_page():
    """A browser window with an article, a weather card and a list of links."""
    c = Canvas(768, 576, "#ffffff")
    c.box(0, 0, 768, 36, "#d5dbe6")
    c.box(8, 6, 252, 38, "#ffffff", radius=8)
    c.circle(24, 21, 7, "#1f7a8c")
    c.text(24, 21, "N", 9, "#ffffff", "Sans-Bold", "mm")
    c.text(38, 25, "Walking the Northern Coast", 11)
    c.text(240, 25, "\u00d7", 14, "#5f6368")
    c.circle(278, 21, 7, "#e07a3f")
    c.text(292, 25, "Tide tables for March", 11, "#4a4f57")
    c.text(424, 25, "\u00d7", 14, "#5f6368")
    c.text(448, 27, "+", 16, "#4a4f57")
    for x, glyph in ((680, "\u2013"), (710, "\u25a1"), (740, "\u00d7")):
        c.text(x, 25, glyph, 14, "#4a4f57")
    c.box(0, 36, 768, 38, "#ffffff")
    for x, glyph in zip((20, 50, 80, 748), "\u2190\u2192\u21bb\u22ee"):
        c.text(x, 55, glyph, 17, "#b0b4ba" if x == 50 else "#3c4043", anchor="mm")
    c.box(102, 42, 626, 26, "#eef1f5", radius=13)
    c.box(116, 53, 9, 8, "#5f6368", radius=1.5)
    c.shape("arc", [(117.5, 49), (123.5, 58)], "#5f6368", start=180, end=360, width=1.3)
    x = c.text(134, 59, "www.example.org", 12)
    c.text(x, 59, "/notes/northern-coast", 12, "#6b7078")
    c.text(710, 55, "\u2606", 15, "#5f6368", anchor="mm")
    c.box(0, 74, 768, 1, "#d5d9e0")

    c.box(0, 75, 768, 46, "#123c4a")
    c.shape("polygon", [(22, 108), (36, 86), (44, 98), (49, 91), (60, 108)], "#f2b35d")
    c.text(70, 105, "Field Notes", 18, "#ffffff", "Serif-Bold")
    for x, word in zip((288, 350, 408, 478, 532), ("Walks", "Maps", "Journal", "Gear", "About")):
        c.text(x, 103, word, 12, "#ffffff" if word == "Walks" else "#b9d0d8")
    c.box(288, 112, 37, 3, "#f2b35d")
    c.box(664, 84, 78, 27, "#f2b35d", radius=13)
    c.text(703, 98, "Sign in", 12, "#3a2503", "Sans-Bold", "mm")

    c.text(28, 153, "Walking the Northern Coast in Four Days", 20, "#16262c", "Serif-Bold")
    c.text(28, 173, "By Mara Lindqvist  \u00b7  14 March  \u00b7  8 minute read", 11, "#6b7078")
    c.image.paste(landscape(476, 196, 4), (28, 186))
    c.text(28, 398, "The lake at Greyfell on the second evening, looking east.", 11, "#6b7078", "Sans-Oblique")
    y = c.paragraph(
        28,
        424,
        476,
        "The path leaves the harbour behind the old rope works and "
        "climbs at once. For the first hour there is nothing to see but heather and "
        "the backs of sheep. Then the ground falls away, the wind arrives, and the whole "
        "bay lies open below you.",
        13,
        20,
        name="Serif",
        fill="#24292e",
    )
    c.text(28, y + 14, "What to carry", 16, "#16262c", "Serif-Bold")
    c.paragraph(
        28,
        y + 38,
        476,
        "Pack a warm layer even in June, two litres of water and a paper "
        "map. There is no signal beyond the second headland, and the last bus leaves at "
        "18:40.",
        13,
        20,
        name="Serif",
        fill="#24292e",
    )

    c.box(530, 140, 208, 186, "#ffffff", radius=8, border="#d9dee5", shadow=5)
    c.text(546, 164, "Greyfell today", 13, "#16262c", "Sans-Bold")
    c.circle(572, 202, 15, "#f5b83d")
    for dx, dy, r in ((10, 10, 9), (22, 5, 12), (35, 11, 8)):
        c.circle(564 + dx, 208 + dy - 6, r, "#c3ccd6")
    c.box(574, 203, 26, 10, "#c3ccd6", radius=5)
    c.text(624, 214, "11\u00b0C", 26, "#16262c")
    c.text(546, 238, "Cloudy, breeze from the west", 11, "#4a4f57")
    for i, (day, bar, degrees) in enumerate((("Fri", 52, 9), ("Sat", 76, 12), ("Sun", 96, 15))):
        c.text(546, 266 + 20 * i, day, 11, "#4a4f57")
        c.box(580, 259 + 20 * i, 110, 7, "#e8ecf1", radius=3.5)
        c.box(580, 259 + 20 * i, bar, 7, "#3d8fb0", radius=3.5)
        c.text(724, 266 + 20 * i, f"{degrees}\u00b0", 11, "#16262c", "Sans-Bold", "rs")
    c.text(530, 360, "MOST READ", 11, "#1f7a8c", "Sans-Bold")
    c.box(530, 367, 208, 2, "#1f7a8c")
    links = (
        "Five huts you can still book",
        "How to read a tide table",
        "Boots or trail shoes?",
        "A winter night on the ridge",
    )
    for i, title in enumerate(links):
        c.text(530, 390 + 26 * i, str(i + 1), 13, "#c47a1e", "Serif-Bold")
        end = c.text(550, 390 + 26 * i, title, 12, "#15588a")
        c.box(550, 392 + 26 * i, round(end) - 550, 1, "#9fc0d6")
    c.box(530, 490, 208, 74, "#eaf4f6", radius=8)
    c.text(544, 511, "One letter a month, no ads.", 11, "#16262c")
    c.box(544, 522, 116, 28, "#ffffff", radius=4, border="#a8b7bf")
    c.text(552, 540, "you@mail.org", 11, "#8b9298")
    c.box(666, 522, 60, 28, "#1f7a8c", radius=4)
    c.text(696, 536, "Join", 12, "#ffffff", "Sans-Bold", "mm")
    c.box(754, 75, 14, 501, "#f3f5f7")
    c.box(757, 82, 8, 150, "#b7bdc6", radius=4)
    return c.image


TERMINAL = """\
{g}mara@harbour{w}:{b}~/tide-tables{w}$ git log --oneline --graph -5
* {y}9f3c2ab {c}(HEAD -> main){w} Plot spring and neap tides
*   {y}41d07e5{w} Merge branch 'station-list'
{r}|{g}\\{w}
{r}|{w} * {y}c80e1f4{w} Read the station list from CSV
{r}|{w} * {y}77ab905{w} Fix the leap-second offset
* {g}|{w} {y}0d52c6e{w} Speed up the harmonic fit
{g}mara@harbour{w}:{b}~/tide-tables{w}$ ls -l --group-directories-first
total 80
drwxr-xr-x 2 mara mara  4096 Mar  3 09:14 {b}data{w}
drwxr-xr-x 3 mara mara  4096 Mar 12 18:02 {b}tests{w}
-rwxr-xr-x 1 mara mara  2310 Mar 12 17:55 {g}fit_tides.py{w}
-rw-r--r-- 1 mara mara 61748 Mar  3 09:20 {r}charts.tar.gz{w}
-rw-r--r-- 1 mara mara  1187 Feb 27 21:31 README.md
{g}mara@harbour{w}:{b}~/tide-tables{w}$ python -m pytest -q --tb=no tests
{g}................................{y}s{g}.....................{w}  [ 62%]
{g}.........................{r}F{g}.......{w}                       [100%]
{c}=================== {w}short test summary info{c} ==================={w}
{r}FAILED{w} tests/test_fit.py::test_neap - {r}AssertionError: 0.31 != 0.29{w}
{r}1 failed{w}, {g}85 passed{w}, {y}1 skipped{w} in 4.27s
{g}mara@harbour{w}:{b}~/tide-tables{w}$ ./fit_tides.py --station 17 --plot
Reading data/station_17.csv ... 8760 hourly heights
Fitting {c}FULL\u258c{d}EMPTY{w}  67%  eta 00:12 \u2588"""
TERMINAL = TERMINAL.replace("FULL", "\u2588" * 21).replace("EMPTY", "\u2591" * 10)


def terminal():
    """A dark terminal window with coloured output on a desktop background."""
    colors = {
        "w": "#d8dee9",
        "g": "#8fd17a",
        "b": "#7aa8f0",
        "y": "#e8c46a",
        "r": "#f0717a",
        "c": "#5fd0d0",
        "d": "#4b5568",
    }
    c = Canvas(720, 512)
    c.vertical_gradient("#35506e", "#7d5a7c")
    for i, color in enumerate(("#43668a", "#5b6f98", "#77709d")):
        x, y = -200 + 260 * i, 330 - 40 * i
        c.shape("ellipse", [(x, y), (x + 720, 760)], color, alpha=0.5)
    c.box(22, 18, 676, 474, "#171c26", radius=9, shadow=14)
    c.box(22, 18, 676, 30, "#2b3240", radius=9)
    c.box(22, 36, 676, 12, "#2b3240")
    for x, color in ((40, "#ed6a5e"), (59, "#f5bf4f"), (78, "#61c454")):
        c.circle(x, 33, 6, color)
    c.text(360, 33, "mara@harbour: ~/tide-tables", 12, "#c6cdd8", "Sans-Bold", "mm")
    for row, line in enumerate(TERMINAL.splitlines()):
        x, fill = 34, colors["w"]
        for part in re.split(r"(\{\w\})", line):
            if re.fullmatch(r"\{\w\}", part):
                fill = colors[part[1]]
            else:
                x = c.text(x, 66 + 18.5 * row, part, 13, fill, "SansMono")
    c.box(688, 52, 6, 434, "#222937", radius=3)
    c.box(688, 380, 6, 104, "#525c70", radius=3)
    return c.image


def toggle(c, x, y, on):
    """Draw a switch, its left end at x."""
    c.box(x, y - 9, 34, 18, "#2f7de1" if on else "#b6bcc6", radius=9)
    c.circle(x + (25 if on else 9), y, 7, "#ffffff")


def settings_window():
    """A settings window with a side bar, switches, a slider and buttons."""
    c = Canvas(704, 512)
    c.image.paste(landscape(704, 512, 9, scale=1).filter(ImageFilter.GaussianBlur(5)))
    c.box(36, 24, 632, 452, "#f7f8fa", radius=10, shadow=16)
    c.box(36, 24, 190, 452, "#e9ecf1", radius=10)
    c.box(214, 24, 12, 452, "#e9ecf1")
    c.box(225, 24, 1, 452, "#d3d8df")
    c.text(56, 54, "Settings", 16, "#1d2127", "Sans-Bold")
    c.box(50, 68, 162, 28, "#ffffff", radius=6, border="#cfd5dd")
    c.shape("ellipse", [(58, 76), (67, 85)], "#7a828d")
    c.circle(62.5, 80.5, 3.1, "#ffffff")
    c.shape("line", [(66, 84), (70, 88)], "#7a828d", width=1.6)
    c.text(76, 86, "Search settings", 11, "#8a919b")
    pages = (
        ("Network", "\u21c5", "#2f9e6e"),
        ("Display", "\u2600", "#e8912d"),
        ("Sound", "\u266b", "#d65a8a"),
        ("Keyboard", "\u2328", "#6b7280"),
        ("Accounts", "\u2709", "#3a86d6"),
        ("Privacy", "\u2691", "#7b5cd6"),
        ("Power", "\u26a1", "#c9a21a"),
        ("About", "\u2139", "#4b8f9c"),
    )
    for i, (label, glyph, color) in enumerate(pages):
        y = 126 + 38 * i
        chosen = label == "Display"
        if chosen:
            c.box(46, y - 17, 172, 34, "#2f7de1", radius=7)
        c.box(56, y - 11, 22, 22, color, radius=6)
        c.text(67, y, glyph, 13, "#ffffff", anchor="mm")
        c.text(90, y + 5, label, 13, "#ffffff" if chosen else "#2b3038")
    for x, glyph in ((596, "\u2013"), (620, "\u25a1"), (645, "\u00d7")):
        c.text(x, 48, glyph, 15, "#5c636e", anchor="mm")
    c.text(248, 56, "Display", 18, "#1d2127", "Sans-Bold")
    c.text(248, 88, "BRIGHTNESS AND COLOUR", 10, "#6d7480", "Sans-Bold")
    c.box(248, 96, 398, 128, "#ffffff", radius=8, border="#dde1e7")
    c.text(264, 122, "Brightness", 13)
    c.box(400, 115, 190, 5, "#d5dae2", radius=2.5)
    c.box(400, 115, 132, 5, "#2f7de1", radius=2.5)
    c.circle(532, 117.5, 8.6, "#b9c0ca")
    c.circle(532, 117.5, 7.6, "#ffffff")
    c.text(632, 122, "70 %", 12, "#4d535d", anchor="rs")
    c.box(264, 138, 366, 1, "#e8ebef")
    c.text(264, 163, "Night light", 13)
    c.text(264, 179, "Warmer colours after sunset", 10, "#7a828d")
    toggle(c, 598, 163, True)
    c.box(264, 188, 366, 1, "#e8ebef")
    c.text(264, 211, "Adapt to ambient light", 13)
    toggle(c, 598, 206, False)
    c.text(248, 250, "RESOLUTION", 10, "#6d7480", "Sans-Bold")
    c.box(248, 258, 398, 150, "#ffffff", radius=8, border="#dde1e7")
    c.text(264, 285, "Resolution", 13)
    c.box(460, 267, 172, 27, "#ffffff", radius=5, border="#c3cad3")
    c.text(472, 285, "2560 \u00d7 1440 (16:9)", 12)
    c.text(622, 280, "\u25be", 14, "#5c636e", anchor="mm")
    c.text(264, 324, "Scale", 13)
    for i, label in enumerate(("100 %", "125 %", "150 %", "200 %")):
        x = 364 + 70 * i
        c.circle(x, 319, 8, "#2f7de1" if i == 1 else "#aab1bb")
        c.circle(x, 319, 3.5 if i == 1 else 6.8, "#ffffff")
        c.text(x + 13, 324, label, 12)
    for i, (label, ticked) in enumerate(
        (("Smooth the edges of fonts", True), ("Use the same scale on every screen", False))
    ):
        y = 348 + 28 * i
        c.box(
            264, y - 8, 16, 16, "#2f7de1" if ticked else "#ffffff", radius=4, border="#2f7de1" if ticked else "#aab1bb"
        )
        if ticked:
            c.shape("line", [(267.5, y), (270.5, y + 3.5), (276.5, y - 4)], "#ffffff", width=1.8)
        c.text(290, y + 5, label, 12)
    for x, label, fill, ink in ((446, "Cancel", "#ffffff", "#2b3038"), (548, "Apply", "#2f7de1", "#ffffff")):
        c.box(x, 428, 94, 30, fill, radius=6, border="#2765b8" if x > 500 else "#c3cad3")
        c.text(x + 47, 443, label, 12, ink, "Sans-Bold", "mm")
    return c.image
