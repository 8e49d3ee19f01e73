// How targets are told apart: the hue and the mark are the family's (a decoder, a codec), the lightness is the rate within it.
"use strict";
Object.assign(
  CMC,
  (() => {
    const HUES = 8,
      DEEPEST = 0.4,
      LIGHT = "#ffffff",
      DARK = "#16191d";
    const MARKS = ["circle", "rect", "triangle", "rectRot"];
    const css = (variable) => getComputedStyle(document.documentElement).getPropertyValue(variable).trim();

    const of = (place) => CMC.board.targets[place];
    const tone = (place, other) => other ?? of(place).tone;

    // For style sheets; place: of a target, none for what is published. other: a tone instead of the target's own.
    function colour(place, other) {
      if (place === undefined || place === null) return "var(--muted)";
      const share = Math.round(100 * DEEPEST * Math.abs(tone(place, other)));
      const hue = `var(--c${of(place).hue % HUES})`;
      return share ? `color-mix(in srgb, ${tone(place, other) > 0 ? LIGHT : DARK} ${share}%, ${hue})` : hue;
    }

    // The same for canvases, which read hexadecimal colours.
    function paint(place, other) {
      if (place === undefined || place === null) return css("--muted");
      const share = DEEPEST * Math.abs(tone(place, other));
      const parts = [css(`--c${of(place).hue % HUES}`), tone(place, other) > 0 ? LIGHT : DARK].map((each) =>
        [1, 3, 5].map((at) => parseInt(each.slice(at, at + 2), 16)),
      );
      const mixed = parts[0].map((mine, at) => Math.round((1 - share) * mine + share * parts[1][at]));
      return `#${mixed.map((each) => each.toString(16).padStart(2, "0")).join("")}`;
    }

    const hue = (place) => css(`--c${place % HUES}`);
    const shape = (place) => MARKS[(of(place).hue + Math.floor(of(place).hue / HUES)) % MARKS.length];
    const faint = (colour, share) =>
      colour +
      Math.round(255 * share)
        .toString(16)
        .padStart(2, "0");

    return { css, colour, paint, hue, shape, faint };
  })(),
);
