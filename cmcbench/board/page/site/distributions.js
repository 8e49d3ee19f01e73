// How the scores of single images are spread: boxes (5, 25, 50, 75, 95 % of the images) or histograms.
"use strict";
CMC.parts.push(() => {
  const { board, css, el, picks } = CMC;
  const metrics = board.metrics.filter((metric) => board.distributions[metric.name]);
  if (!metrics.length) {
    CMC.fill("distributions-body", CMC.empty("No scores of single images.", "The targets' scores.csv hold them."));
    return;
  }
  const modes = CMC.MODES.filter((mode) =>
    metrics.some((metric) => board.distributions[metric.name].rows.some((row) => row.mode === mode)),
  );
  const metricState = CMC.state.one(
      "spread",
      metrics.map((each) => each.name),
    ),
    view = CMC.state.one("chart", ["boxes", "histograms"]),
    modeState = CMC.state.one("in", ["", ...modes]);
  const label = (row) => `${board.targets[row.target].name} · ${row.mode}`;

  const median = {
    id: "median",
    afterDatasetsDraw(chart) {
      const { ctx } = chart,
        boxes = chart.getDatasetMeta(1);
      ctx.save();
      boxes.data.forEach((bar, place) => {
        const at = chart.scales.x.getPixelForValue(chart.data.datasets[1].rows[place].quantiles[3]);
        ctx.fillStyle = css("--surface");
        ctx.fillRect(at - 1.5, bar.y - bar.height / 2, 3, bar.height);
      });
      ctx.restore();
    },
  };

  function draw() {
    const metric = metrics.find((each) => each.name === metricState.get()),
      found = board.distributions[metric.name],
      charted = picks.charted();
    // Histograms of all modes on top of each other are hard to read
    const mode = modeState.get() || (view.get() === "histograms" ? modes[0] : "");
    const rows = found.rows.filter((row) => charted.includes(row.target) && (!mode || row.mode === mode));
    hint.textContent = [
      view.get() === "boxes"
        ? "Box: half of the images, with the median. Line: 90 % of them."
        : `${CMC.title(mode)} mode; the axis covers the scores that are there.`,
      picks.rest(charted.length),
    ].join(" ");
    if (!rows.length) {
      CMC.chart.drop("distributions-body");
      const none = CMC.empty("No scores of single images.", "Choose other targets or another mode.");
      CMC.fill("distributions-body", charted.length ? none : picks.none());
      return;
    }
    const table = {
      columns: ["Target and mode", "n", "lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest"],
      rows: rows.map((row) => [label(row), String(row.n), ...row.quantiles.map(CMC.score)]),
    };
    const axis = `${metric.label} of single images ${metric.lower ? "(lower is better)" : "(higher is better)"}`;
    const tall = rows.length > 40 ? 20 : 30;
    if (view.get() === "boxes")
      CMC.chart.draw("distributions-body", `${axis}, as boxes`, 70 + rows.length * tall, () => boxes(rows, axis), table);
    else
      CMC.chart.draw("distributions-body", `${axis}, as histograms`, 380, () => histograms(rows, found.edges, axis), table);
    if (view.get() === "histograms") document.getElementById("distributions-body").append(key(rows));
  }

  const key = (rows) =>
    el(
      "p",
      { class: "key" },
      rows.map((row) => el("span", {}, CMC.dot(row.target), CMC.name(board.targets[row.target].name))),
    );

  function boxes(rows, axis) {
    const colours = rows.map((row) => CMC.paint(row.target));
    return {
      type: "bar",
      data: {
        labels: rows.map(label),
        datasets: [
          {
            rows,
            data: rows.map((row) => [row.quantiles[1], row.quantiles[5]]),
            backgroundColor: colours,
            barThickness: 2,
            grouped: false,
          },
          {
            rows,
            data: rows.map((row) => [row.quantiles[2], row.quantiles[4]]),
            backgroundColor: colours,
            barThickness: 14,
            grouped: false,
            borderRadius: 3,
            borderSkipped: false,
          },
        ],
      },
      plugins: [median],
      options: {
        indexAxis: "y",
        interaction: { mode: "y", intersect: false },
        scales: {
          x: {
            title: { display: true, text: axis, color: css("--muted") },
            grid: { color: css("--line") },
            grace: "3%",
            beginAtZero: false,
          },
          y: {
            grid: { display: false },
            ticks: {
              color: css("--ink"),
              autoSkip: false,
              callback(value) {
                const narrow = this.chart.width < CMC.chart.NARROW;
                return CMC.chart.shorten(this.getLabelForValue(value), narrow ? 20 : undefined);
              },
            },
          },
        },
        plugins: {
          tooltip: {
            filter: (item) => item.datasetIndex === 1,
            callbacks: {
              label: (item) => {
                const row = rows[item.dataIndex],
                  q = row.quantiles.map(CMC.score);
                return [
                  ` median ${q[3]}`,
                  ` half of the images ${q[2]} to ${q[4]}`,
                  ` 90 % of them ${q[1]} to ${q[5]}`,
                  ` all ${row.n}: ${q[0]} to ${q[6]}`,
                ];
              },
            },
          },
        },
      },
    };
  }

  // Few images in fine bins are a comb: neighbours are joined until there are about as many as Rice's rule asks for (twice the
  // cube root of n) over the range that has scores.
  function joined(rows, edges) {
    const there = edges.slice(1).map((edge, place) => rows.some((row) => row.counts[place]));
    const first = there.indexOf(true),
      last = there.lastIndexOf(true) + 1;
    const wanted = Math.ceil(2 * Math.cbrt(Math.max(...rows.map((row) => row.n))));
    const step = Math.max(1, Math.round((last - first) / wanted));
    const bins = [];
    for (let low = first; low < last; low += step) bins.push([low, Math.min(low + step, edges.length - 1)]);
    return bins;
  }

  // An outline from the ground up, so that the first and the last bin have walls.
  function outline(row, bins, edges) {
    const heights = bins.map(([low, high]) => row.counts.slice(low, high).reduce((sum, each) => sum + each, 0));
    const points = bins.map(([low], place) => ({ x: edges[low], y: (100 * heights[place]) / row.n, bin: place }));
    const end = edges[bins[bins.length - 1][1]];
    return [{ x: edges[bins[0][0]], y: 0 }, ...points, { x: end, y: points[points.length - 1].y }, { x: end, y: 0 }];
  }

  function histograms(rows, edges, axis) {
    const bins = joined(rows, edges),
      ends = bins.map(([low, high]) => `${CMC.score(edges[low])} to ${CMC.score(edges[high])}`);
    return {
      type: "scatter",
      data: {
        datasets: rows.map((row) => ({
          label: CMC.chart.shorten(label(row)),
          data: outline(row, bins, edges),
          showLine: true,
          stepped: "before",
          pointRadius: 0,
          pointHitRadius: 6,
          borderWidth: 2,
          borderColor: CMC.paint(row.target),
          backgroundColor: CMC.paint(row.target),
        })),
      },
      options: {
        interaction: { mode: "nearest", intersect: false },
        scales: {
          x: {
            min: edges[bins[0][0]],
            max: edges[bins[bins.length - 1][1]],
            title: { display: true, text: axis, color: css("--muted") },
            grid: { display: false },
            ticks: { callback: (value) => CMC.short(Number(value)) },
          },
          y: {
            title: { display: true, text: "share of the images (%)", color: css("--muted") },
            beginAtZero: true,
            grid: { color: css("--line") },
          },
        },
        plugins: {
          tooltip: {
            filter: (item) => item.raw.bin !== undefined,
            callbacks: {
              label: (item) => ` ${item.dataset.label}: ${item.parsed.y.toFixed(1)} % in ${ends[item.raw.bin]}`,
            },
          },
        },
      },
    };
  }

  const hint = el("p", { class: "hint" });
  function bar() {
    CMC.fill(
      "distributions-bar",
      CMC.metricSelect(metrics, metricState.get(), metricState.set),
      modes.length > 1
        ? CMC.select(
            "Mode",
            [["", "All modes"], ...modes.map((mode) => [mode, CMC.title(mode)])],
            modeState.get(),
            modeState.set,
          )
        : null,
      CMC.choice(
        "Kind of chart",
        [
          ["boxes", "Boxes"],
          ["histograms", "Histograms"],
        ],
        view.get(),
        view.set,
      ),
      hint,
    );
  }

  bar();
  CMC.chart.follow("distributions-body", ["spread", "chart", "in", "t"], draw, bar);
  CMC.chart.later("distributions-body", draw);
});
