// Figures as text, and words that follow them.
"use strict";
Object.assign(
  CMC,
  (() => {
    const LOCALE = "en";
    const whole = (value) => value.toLocaleString(LOCALE, { maximumFractionDigits: 0 });
    const count = (value, word, many = `${word}s`) => `${whole(value)} ${value === 1 ? word : many}`;
    const score = (value) =>
      value === null || value === undefined ? "–" : Math.abs(value) >= 100 ? value.toFixed(2) : value.toFixed(4);
    const short = (value) => Number(value.toPrecision(3)).toString();
    const bpp = (value) => (value === null || value === undefined ? "–" : value.toFixed(4));
    const bytes = (bits) => (bits < 16384 ? count(Math.ceil(bits / 8), "byte") : `${(bits / 8192).toFixed(1)} KiB`);
    const seconds = (value) =>
      value < 0.001
        ? "< 1 ms"
        : value < 0.1
          ? `${(value * 1000).toFixed(0)} ms`
          : value < 90
            ? `${value.toFixed(1)} s`
            : `${(value / 60).toFixed(1)} min`;
    const memory = (value) =>
      value >= 1 << 30 ? `${(value / (1 << 30)).toFixed(1)} GiB` : `${(value / (1 << 20)).toFixed(0)} MiB`;
    // What stands behind a rate that was not counted on a bitstream.
    const SIGNS = {
      nominal: [" ≈", "nominal: the protocol's rate, not counted on a bitstream"],
      estimated: [" †", "estimated: computed, and no stream backs it"],
    };
    const kind = (each) => (each.nominal ? "nominal" : each.estimated ? "estimated" : "measured");
    const sign = (kind) => (SIGNS[kind] ? CMC.el("small", { class: "kind", title: SIGNS[kind][1] }, SIGNS[kind][0]) : null);
    const signs = Object.fromEntries(Object.entries(SIGNS).map(([kind, [sign, text]]) => [kind, `${sign.trim()} ${text}.`]));
    return { whole, count, score, short, bpp, bytes, seconds, memory, kind, sign, signs };
  })(),
);
