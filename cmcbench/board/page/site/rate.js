// Rate-distortion curves. A hollow point has a nominal rate (the
// protocol's, not counted on a bitstream), a cross an estimated one (no stream backs it).
"use strict";
CMC.parts.push(() => {
  const { board, css } = CMC;
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
  const state = { metric: metrics[0].name, log: true };
  const own = (curve) => board.targets.findIndex((target) => target.folder === curve.points[0].target);

  function draw() {
    const metric = metrics.find((each) => each.name === state.metric);
    const curves = board.curves
      .map((curve, place) => ({
        ...curve,
        place: own(curve) < 0 ? place : own(curve),
        points: curve.points.filter((point) => point.values[metric.name] !== undefined && (!state.log || point.bpp > 0)),
      }))
      .filter((curve) => curve.points.length);
    const rows = curves.flatMap((curve) =>
      curve.points.map((point) => [
        curve.label,
        point.mode,
        CMC.bpp(point.bpp) + (point.nominal ? " nominal" : point.estimated ? " estimated" : ""),
        CMC.score(point.values[metric.name]),
        `${point.n}/${point.of}`,
      ]),
    );
    CMC.chart.draw(
      "rate-body",
      `${metric.label} against bits per pixel: ${curves.map((curve) => curve.label).join(", ")}`,
      400,
      () => ({
        type: "scatter",
        data: { datasets: curves.map((curve) => line(curve, metric)) },
        options: {
          interaction: { mode: "nearest", intersect: false, axis: "xy" },
          layout: { padding: { right: 12 } },
          scales: {
            x: {
              type: state.log ? "logarithmic" : "linear",
              title: { display: true, text: "bits per pixel", color: css("--muted") },
              grid: { color: css("--line") },
              grace: state.log ? undefined : "5%",
              ticks: {
                autoSkip: true,
                maxTicksLimit: 8,
                maxRotation: 0,
                callback: (value) => (state.log && !round(value) ? null : Number(value.toPrecision(3)).toString()),
              },
              ...limits(curves),
            },
            y: {
              title: {
                display: true,
                text: `${metric.label} ${metric.lower ? "(lower is better)" : "(higher is better)"}`,
                color: css("--muted"),
              },
              grid: { color: css("--line") },
              grace: "8%",
            },
          },
          plugins: {
            legend: {
              display: true,
              position: "bottom",
              labels: { usePointStyle: true, boxHeight: 7, padding: 14, color: css("--ink") },
            },
            tooltip: {
              callbacks: {
                title: ([item]) => `${item.raw.point.target} · ${item.raw.point.mode}`,
                label: (item) => about(item.raw.point, metric),
              },
            },
          },
        },
      }),
      { columns: ["Curve", "Mode", "bpp", metric.label, "n"], rows },
    );
  }

  // 0.001, 0.0015, 0.002, 0.003, 0.005, 0.007, 0.01: enough on a logarithmic axis
  function round(value) {
    return ["1", "1.5", "2", "3", "5", "7"].includes(
      value
        .toExponential(3)
        .split("e")[0]
        .replace(/\.?0+$/, ""),
    );
  }

  function limits(curves) {
    if (!state.log) return { min: 0 };
    const rates = curves.flatMap((curve) => curve.points.map((point) => point.bpp));
    return { min: Math.min(...rates) / 1.3, max: Math.max(...rates) * 1.3 };
  }

  function line(curve, metric) {
    const colour = CMC.paint(curve.place);
    return {
      label: CMC.chart.shorten(curve.label),
      data: curve.points.map((point) => ({ x: point.bpp, y: point.values[metric.name], point })),
      showLine: true,
      borderColor: colour,
      borderWidth: 2,
      tension: 0,
      borderDash: curve.codec ? [6, 4] : [],
      pointStyle: curve.points.map((point) => (point.estimated ? "crossRot" : CMC.chart.shape(curve.place))),
      pointRadius: 5,
      pointHoverRadius: 7,
      pointBorderWidth: 2,
      pointBorderColor: colour,
      pointBackgroundColor: curve.points.map((point) => (point.nominal ? css("--surface") : colour)),
      backgroundColor: colour,
    };
  }

  function about(point, metric) {
    const said = [
      ` ${metric.label} ${CMC.score(point.values[metric.name])}`,
      ` ${CMC.bpp(point.bpp)} bpp, ${CMC.whole(24 / point.bpp)} times smaller`,
      ` ${point.n} of ${point.of} images`,
    ];
    if (point.nominal) said.push(" nominal rate: the protocol's");
    if (point.estimated) said.push(" estimated rate: no stream backs it");
    if (point.downscaled) said.push(` ${point.downscaled} images coded at a smaller size`);
    return said;
  }

  CMC.fill(
    "rate-bar",
    CMC.metricSelect(metrics, state.metric, (metric) => {
      state.metric = metric;
      draw();
    }),
    CMC.choice(
      "Scale of the rate",
      [
        ["log", "Log"],
        ["linear", "Linear"],
      ],
      "log",
      (scale) => {
        state.log = scale === "log";
        draw();
      },
    ),
  );
  CMC.chart.later("rate-body", draw);
});
