// Rate-distortion curves: what the bits buy. Names stand beside the curves, intervals are bands, the best at each rate is a line.
// A hollow point has a nominal rate (the protocol's, not counted on a bitstream), a cross an estimated one (no stream backs it).
"use strict";
CMC.parts.push(() => {
  const { board, css, el, picks } = CMC;
  const MOST = 12; // curves that are shown where nobody chose targets
  const metrics = board.metrics.filter((metric) =>
    board.curves.some((curve) => curve.points.some((point) => point.values[metric.name] !== undefined)),
  );
  if (!metrics.length) {
    CMC.fill(
      "rate-body",
      CMC.empty(
        "No rates are known.",
        "Decode anew, or bring your own pictures with their bits: each target's rates.csv holds them.",
      ),
    );
    return;
  }
  const metricState = CMC.state.one(
      "rate",
      metrics.map((each) => each.name),
    ),
    scale = CMC.state.one("scale", ["log", "linear"]);
  const name = (point) => board.targets[point.target].name;

  // The curves of the targets chosen; without a choice those of the first targets, then codecs, to be compared with.
  function curves(metric) {
    const kept = new Set(picks.auto() ? picks.every : picks.listed());
    const first = new Set(picks.charted());
    const all = board.curves
      .map((curve) => ({
        ...curve,
        points: curve.points.filter(
          (point) =>
            kept.has(point.target) && point.values[metric.name] !== undefined && (scale.get() === "linear" || point.bpp > 0),
        ),
      }))
      .filter((curve) => curve.points.length);
    if (!picks.auto() || all.length <= MOST) return { shown: all, all };
    const merit = (curve) => (curve.points.some((point) => first.has(point.target)) ? 0 : curve.codec ? 1 : 2);
    const best = new Set(
      all
        .slice()
        .sort((one, other) => merit(one) - merit(other))
        .slice(0, MOST),
    );
    return { shown: all.filter((curve) => best.has(curve)), all };
  }

  function draw() {
    const metric = metrics.find((each) => each.name === metricState.get()),
      { shown, all } = curves(metric);
    if (!shown.length) {
      CMC.chart.drop("rate-body");
      CMC.fill("rate-body", picks.listed().length ? CMC.empty("No rate of these targets is known.") : picks.none());
      return;
    }
    const best = CMC.marks.front(shown, metric),
      narrow = document.getElementById("rate-body").clientWidth < CMC.chart.NARROW;
    const rows = shown.flatMap((curve) =>
      curve.points.map((point) => [
        curve.label,
        point.mode,
        CMC.bpp(point.bpp) + (point.nominal ? " nominal" : point.estimated ? " estimated" : ""),
        CMC.score(point.values[metric.name]),
        interval(point, metric),
        `${point.n}/${point.of}`,
      ]),
    );
    const sets = shown.map((curve) => line(curve, metric, narrow));
    CMC.chart.draw(
      "rate-body",
      `${metric.label} against bits per pixel: ${shown.map((curve) => curve.label).join(", ")}`,
      Math.max(400, sets.length * 16 + 60),
      () => ({
        type: "scatter",
        data: {
          datasets: [
            ...shown.map((curve) => line(curve, metric, narrow)),
            ...(best.length > 1 ? [CMC.marks.stairs(best, metric)] : []),
          ],
        },
        plugins: [CMC.marks.bands, CMC.marks.names],
        options: options(shown, metric, sets),
      }),
      { columns: ["Curve", "Mode", "bpp", metric.label, "95 % interval", "n"], rows },
    );
    document.getElementById("rate-body").append(key(shown, best, metric, all));
  }

  function options(shown, metric, sets) {
    const log = scale.get() === "log";
    return {
      interaction: { mode: "nearest", intersect: false, axis: "xy" },
      layout: { padding: { right: CMC.marks.room(sets.map((set) => set.label)) } },
      scales: {
        x: {
          type: log ? "logarithmic" : "linear",
          title: { display: true, text: "bits per pixel", color: css("--muted") },
          grid: { color: css("--line") },
          grace: log ? undefined : "5%",
          afterBuildTicks: (axis) => log && (axis.ticks = CMC.marks.ticks(axis)),
          ticks: { autoSkip: !log, maxTicksLimit: 8, maxRotation: 0, callback: (value) => CMC.short(Number(value)) },
          ...limits(shown),
        },
        y: {
          title: {
            display: true,
            text: `${metric.label} ${metric.lower ? "(lower is better)" : "(higher is better)"}`,
            color: css("--muted"),
          },
          grid: { color: css("--line") },
          grace: "8%",
          ...heights(shown, metric),
        },
      },
      plugins: {
        tooltip: {
          filter: (item) => item.raw.point,
          callbacks: {
            title: (items) => items.slice(0, 1).map((item) => `${name(item.raw.point)} · ${item.raw.point.mode}`),
            label: (item) => about(item.raw.point, metric),
          },
        },
      },
    };
  }

  function limits(shown) {
    if (scale.get() === "linear") return { min: 0 };
    const rates = shown.flatMap((curve) => curve.points.map((point) => point.bpp));
    return { min: Math.min(...rates) / 1.3, max: Math.max(...rates) * 1.3 };
  }

  // Bands are no data of the chart: its axis is told to hold them.
  function heights(shown, metric) {
    const ends = shown.flatMap((curve) => curve.points.flatMap((point) => point.ends[metric.name] ?? []));
    return ends.length ? { suggestedMin: Math.min(...ends), suggestedMax: Math.max(...ends) } : {};
  }

  function line(curve, metric, narrow) {
    const colour = CMC.paint(curve.points[0].target, curve.tone),
      colours = curve.points.map((point) => CMC.paint(point.target));
    return {
      label: CMC.chart.shorten(curve.label, narrow ? 14 : undefined),
      named: true,
      data: curve.points.map((point) => ({ x: point.bpp, y: point.values[metric.name], point })),
      ends: curve.points.map((point) => point.ends[metric.name]),
      showLine: true,
      borderColor: colour,
      borderWidth: 2,
      tension: 0,
      borderDash: curve.codec ? [6, 4] : [],
      pointStyle: curve.points.map((point) => (point.estimated ? "crossRot" : CMC.shape(curve.points[0].target))),
      pointRadius: 5,
      pointHoverRadius: 7,
      pointBorderWidth: 2,
      pointBorderColor: colours,
      pointBackgroundColor: curve.points.map((point, at) => (point.nominal ? css("--surface") : colours[at])),
      backgroundColor: colour,
    };
  }

  // What the lines and marks mean, of those that are there.
  function key(shown, best, metric, all) {
    const points = shown.flatMap((curve) => curve.points),
      sign = (kind) => el("i", { class: `sign ${kind}`, "aria-hidden": "true" });
    const said = [
      [shown.some((curve) => curve.codec) && shown.some((curve) => !curve.codec), "dash", "codec"],
      [best.length > 1, "dots", "best at each rate (Pareto front of counted rates)"],
      [points.some((point) => point.ends[metric.name]), "band", "95 % interval of the mean"],
      [points.some((point) => point.nominal), "hollow", "nominal rate: the protocol's"],
      [points.some((point) => point.estimated), "cross", "estimated rate: no stream backs it"],
      [points.some((point) => board.targets[point.target].tone), "light", "lighter: a lower rate of the family"],
    ];
    const rest = all.length - shown.length;
    return el(
      "p",
      { class: "key" },
      said.filter(([has]) => has).map(([, kind, text]) => el("span", {}, sign(kind), text)),
      rest ? el("span", {}, `${shown.length} of ${all.length} curves; choose others with the button Targets.`) : null,
    );
  }

  function interval(point, metric) {
    const ends = point.ends[metric.name];
    return ends ? `${CMC.score(ends[0])} to ${CMC.score(ends[1])}` : "–";
  }

  function about(point, metric) {
    const said = [
      ` ${metric.label} ${CMC.score(point.values[metric.name])}`,
      ` 95 % interval ${interval(point, metric)}`,
      ` ${CMC.bpp(point.bpp)} bpp, ${CMC.whole(24 / point.bpp)} times smaller`,
      ` ${point.n} of ${CMC.count(point.of, "image")}`,
    ];
    if (point.nominal) said.push(" nominal rate: the protocol's");
    if (point.estimated) said.push(" estimated rate: no stream backs it");
    if (point.downscaled) said.push(` ${CMC.count(point.downscaled, "image")} coded at a smaller size`);
    return said;
  }

  function bar() {
    CMC.fill(
      "rate-bar",
      CMC.metricSelect(metrics, metricState.get(), metricState.set),
      CMC.choice(
        "Scale of the rate",
        [
          ["log", "Log"],
          ["linear", "Linear"],
        ],
        scale.get(),
        scale.set,
      ),
    );
  }

  bar();
  CMC.chart.follow("rate-body", ["rate", "scale", "t"], draw, bar);
  CMC.chart.later("rate-body", draw);
});
