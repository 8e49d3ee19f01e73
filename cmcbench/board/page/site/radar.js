// The radar of the dimensions: every metric in every mode, each axis from the worst to the best value shown.
"use strict";
CMC.parts.push(() => {
  const { board, el, TOPIQ } = CMC;
  const INNER = 0.12; // the worst value stands a little out of the centre, so that a polygon remains a polygon
  const single = board.metrics.map((metric) => metric.name);
  const topiq = TOPIQ.every((name) => single.includes(name));
  const SHORT = { [TOPIQ[0]]: "FR", [TOPIQ[1]]: "NR" };
  const sets = [];
  if (topiq) sets.push(["topiq", "TOPIQ, as published", TOPIQ]);
  if (single.some((name) => !TOPIQ.includes(name)))
    sets.push(["own", topiq ? "Other metrics" : "Metrics here", single.filter((name) => !topiq || !TOPIQ.includes(name))]);
  if (!topiq) sets.push(["published", "Published results", TOPIQ]);
  const state = { set: sets[0][0], shown: {} };

  function polygons(names) {
    const own = board.targets.map((target, place) => ({
      key: `own-${place}`,
      name: target.name,
      target: place,
      lines: board.lines.filter((line) => line.target === place && !line.content),
    }));
    const rows = TOPIQ.every((name) => names.includes(name))
      ? board.lines.filter((line) => line.status === "published" && line.table === "t2i")
      : [];
    const published = [...new Set(rows.map((line) => line.name))].map((name, place) => ({
      key: `published-${place}`,
      name,
      published: place,
      lines: rows.filter((line) => line.name === name),
    }));
    return [...own, ...published].filter((each) =>
      each.lines.some((line) => names.some((name) => line.cells?.[name] !== undefined)),
    );
  }

  function draw() {
    const names = sets.find(([key]) => key === state.set)[2],
      all = polygons(names);
    const shown = (state.shown[state.set] ??= new Set(starters(all, names)));
    const axes = CMC.MODES.flatMap((mode) =>
      names.map((name) => ({
        mode,
        name,
        metric: board.metrics.find((each) => each.name === name) ?? { lower: false, label: SHORT[name] },
      })),
    ).filter(({ mode, name }) => all.some((each) => value(each, mode, name) !== undefined));
    CMC.fill(
      "dimensions-bar",
      sets.length > 1
        ? CMC.choice(
            "Dimensions",
            sets.map(([key, label]) => [key, label]),
            state.set,
            (set) => {
              state.set = set;
              draw();
              document.querySelector(`#dimensions-bar [data-key="${set}"]`).focus();
            },
          )
        : null,
    );
    if (axes.length < 3) {
      CMC.chart.drop("dimensions-body");
      CMC.fill(
        "dimensions-body",
        CMC.empty(
          "A radar needs three dimensions.",
          `There ${axes.length === 1 ? "is 1" : `are ${axes.length}`} here: score more modes or more metrics.`,
        ),
      );
      return;
    }
    const label = ({ mode, name, metric }) => `${CMC.title(mode)} ${SHORT[name] ?? metric.label}${metric.lower ? " ↓" : ""}`;
    const legend = el(
      "div",
      { class: "chips", role: "group", "aria-label": "Shown in the radar" },
      all.map((each) =>
        CMC.toggle(
          CMC.name(each.name),
          shown.has(each.key),
          (on) => {
            on ? shown.add(each.key) : shown.delete(each.key);
            paint();
          },
          tint(each, true),
        ),
      ),
    );
    document.getElementById("dimensions-bar").append(legend);
    const gaps = el("p", { class: "hint gaps" }, "A line breaks where a target has no score in a mode.");
    CMC.fill("dimensions-body", gaps, el("div", { id: "radar" }));

    function paint() {
      const kept = all.filter((each) => shown.has(each.key));
      gaps.hidden = kept.every((each) => axes.every(({ mode, name }) => value(each, mode, name) !== undefined));
      const scale = axes.map(({ mode, name, metric }) => {
        const found = all.map((each) => value(each, mode, name)).filter((each) => each !== undefined);
        const low = Math.min(...found),
          high = Math.max(...found);
        return (at) =>
          at === undefined
            ? null
            : high > low
              ? INNER + ((1 - INNER) * (metric.lower ? high - at : at - low)) / (high - low)
              : 1;
      });
      CMC.chart.draw(
        "radar",
        `Radar of ${axes.length} dimensions for ${kept.map((each) => each.name).join(", ")}`,
        380,
        () => ({
          type: "radar",
          data: { labels: axes.map(label), datasets: kept.map((each) => set(each, axes, scale)) },
          options: {
            scales: {
              r: {
                min: 0,
                max: 1,
                ticks: { display: false, stepSize: 0.25 },
                grid: { color: CMC.css("--line") },
                angleLines: { color: CMC.css("--line") },
                pointLabels: { color: CMC.css("--muted"), font: { size: 12, weight: "500" } },
              },
            },
            plugins: {
              tooltip: {
                callbacks: { label: (item) => ` ${item.dataset.label}: ${CMC.score(item.dataset.real[item.dataIndex])}` },
              },
            },
          },
        }),
        {
          columns: ["", ...axes.map(label)],
          rows: kept.map((each) => [each.name, ...axes.map(({ mode, name }) => CMC.score(value(each, mode, name)))]),
        },
      );
    }
    paint();
  }

  // At first: own targets and a published one, or three published ones; those with most dimensions come first, the best of
  // them before the others. Fewer than three dimensions (a codec has one mode) are no shape: those are there to be chosen.
  function starters(all, names) {
    const known = (each) => CMC.MODES.flatMap((mode) => names.filter((name) => value(each, mode, name) !== undefined)).length;
    const fullest = (those) => those.sort((one, other) => known(other) - known(one));
    const own = fullest(all.filter((each) => each.published === undefined)),
      shapes = own.filter((each) => known(each) > 2),
      published = fullest(all.filter((each) => each.published !== undefined));
    return [...(shapes.length ? shapes : own).slice(0, 5), ...published.slice(0, own.length ? 1 : 3)].map((each) => each.key);
  }

  function value(each, mode, name) {
    return each.lines.find((line) => line.mode === mode)?.cells?.[name];
  }

  function tint(each, variable) {
    if (each.published === undefined) return variable ? CMC.colour(each.target) : CMC.paint(each.target);
    return state.set === "published"
      ? variable
        ? CMC.colour(each.published)
        : CMC.paint(each.published)
      : variable
        ? "var(--muted)"
        : CMC.css("--muted");
  }

  function set(each, axes, scale) {
    const colour = tint(each),
      real = axes.map(({ mode, name }) => value(each, mode, name));
    return {
      label: each.name + (each.published === undefined ? "" : " (published)"),
      real,
      data: real.map((at, place) => scale[place](at)),
      borderColor: colour,
      backgroundColor: CMC.chart.faint(colour, 0.06),
      fill: !real.includes(undefined),
      borderWidth: 2,
      borderDash: each.published === undefined || state.set === "published" ? [] : [5, 4],
      pointStyle: CMC.chart.shape(each.target ?? each.published),
      pointRadius: 3,
      pointHoverRadius: 5,
      pointBackgroundColor: colour,
      pointHitRadius: 8,
    };
  }

  CMC.chart.later("dimensions-body", draw);
});
