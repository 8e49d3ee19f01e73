// What made each target, as its manifest tells: models, settings, versions, bits and costs.
"use strict";
CMC.parts.push(() => {
  const { el, board, picks } = CMC;
  const PARTS = [
    ["caption", "caption"],
    ["pixel", "pixel reference"],
    ["image", "image reference"],
  ];

  function card(target, place) {
    const manifest = target.manifest,
      settings = common(target);
    const facts = [
      ["Calls itself", target.called],
      ["Decoder", target.decoder || manifest.codec],
      ["Checkpoint", manifest.model_dir],
      ["Captions", target.encoder],
      ["Encoder checkpoint", target.captions.model_dir],
      ["Test set", target.data],
      ...settings.filter(([key, value]) => key !== "Codec" || value !== target.decoder),
    ].filter(([, value]) => value !== undefined && value !== null && value !== "");
    const versions = Object.entries(manifest.environment ?? {}).filter(([, value]) => typeof value === "string");
    return el(
      "article",
      { class: "run" },
      el(
        "header",
        {},
        CMC.dot(place),
        el("h3", {}, CMC.name(target.name)),
        target.baseline ? el("span", { class: "badge baseline" }, "baseline") : null,
      ),
      target.notes.map((note) => el("p", { class: "note" }, note)),
      facts.length
        ? el(
            "dl",
            {},
            facts
              .map(([key, value]) => [key, show(value)])
              .map(([key, value]) =>
                el("div", { class: value.length > 48 ? "wide" : null }, el("dt", {}, key), el("dd", {}, CMC.name(value))),
              ),
          )
        : el("p", { class: "dim" }, "No manifest: these pictures were brought from elsewhere."),
      costs(target),
      versions.length ? el("p", { class: "versions" }, versions.map(([key, value]) => `${key} ${value}`).join(" · ")) : null,
      Object.keys(manifest).length
        ? el(
            "details",
            {},
            el("summary", {}, "Manifest"),
            el(
              "pre",
              { tabindex: "0" },
              JSON.stringify(
                { manifest, ...(Object.keys(target.captions).length ? { captions: target.captions } : {}) },
                null,
                2,
              ),
            ),
          )
        : null,
    );
  }

  const show = (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));

  // The settings that all modes share, without those that say nothing.
  function common(target) {
    const all = Object.values(target.manifest.modes ?? {}).map((mode) => mode.settings ?? {});
    const keys = [...new Set(all.flatMap((settings) => Object.keys(settings)))].filter(
      (key) => !["model", "captions", "checkpoint"].includes(key),
    );
    return keys
      .map((key) => [CMC.title(key.replaceAll("_", " ")), [...new Set(all.map((settings) => show(settings[key] ?? "")))]])
      .filter(([, values]) => values.some((value) => value && value !== "false" && value !== "null"))
      .map(([key, values]) => [key, values.filter((value) => value && value !== "null").join(", ")]);
  }

  function costs(target) {
    const rows = target.modes
      .map((mode) => ({ mode, rate: target.rates[mode] ?? {}, cost: target.costs[mode] ?? {} }))
      .filter(({ rate, cost }) => Object.keys(rate).length || Object.keys(cost).length);
    if (!rows.length) return null;
    const total = ({ rate }) => PARTS.reduce((sum, [key]) => sum + (rate[key] ?? 0), 0),
      most = Math.max(...rows.map(total));
    const timed = rows.some(({ cost }) => cost.encode_seconds !== undefined || cost.decode_seconds !== undefined),
      held = rows.some(({ cost }) => cost.peak_memory !== undefined);
    return el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `Rates and costs of ${target.name}` },
      el(
        "table",
        { class: "plain costs" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            [
              "Mode",
              "bpp",
              "Ratio",
              most ? "Made of" : null,
              timed ? "Encode" : null,
              timed ? "Decode" : null,
              held ? "Memory" : null,
            ]
              .filter(Boolean)
              .map((text) => el("th", { scope: "col" }, text)),
          ),
        ),
        el(
          "tbody",
          {},
          rows.map(({ mode, rate, cost }) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, mode),
              el(
                "td",
                {},
                rate.ratio ? CMC.bpp(24 / rate.ratio) : "–",
                CMC.sign(rate.kind),
              ),
              el("td", {}, rate.ratio ? CMC.whole(rate.ratio) : "–"),
              most
                ? el(
                    "td",
                    {},
                    el(
                      "span",
                      {
                        class: "parts",
                        role: "img",
                        "aria-label":
                          PARTS.filter(([key]) => rate[key])
                            .map(([key, label]) => `${label} ${CMC.bpp(rate[key])} bpp`)
                            .join(", ") || "not known",
                      },
                      PARTS.filter(([key]) => rate[key]).map(([key, label]) =>
                        el("i", {
                          class: `part ${key}`,
                          title: `${label}: ${CMC.bpp(rate[key])} bpp`,
                          style: { width: `${(100 * rate[key]) / most}%` },
                        }),
                      ),
                    ),
                  )
                : null,
              timed
                ? [cost.encode_seconds, cost.decode_seconds].map((value) =>
                    el("td", {}, value === undefined ? "–" : CMC.seconds(value)),
                  )
                : null,
              held ? el("td", {}, cost.peak_memory === undefined ? "–" : CMC.memory(cost.peak_memory)) : null,
            ),
          ),
        ),
      ),
    );
  }

  const parts = board.targets.some((target) => Object.values(target.rates).some((rate) => PARTS.some(([key]) => rate[key])));

  function draw() {
    const shown = picks.charted();
    CMC.fill(
      "runs-body",
      parts && shown.length
        ? el(
            "p",
            { class: "key" },
            PARTS.map(([key, label]) => el("span", {}, el("i", { class: `part ${key}`, "aria-hidden": "true" }), label)),
            picks.rest(shown.length) ? el("span", {}, picks.rest(shown.length)) : null,
          )
        : null,
      shown.length
        ? el(
            "div",
            { class: "runs" },
            shown.map((place) => card(board.targets[place], place)),
          )
        : picks.none(),
    );
  }

  CMC.chart.follow("runs", ["t"], draw);
  CMC.chart.later("runs", draw);
});
