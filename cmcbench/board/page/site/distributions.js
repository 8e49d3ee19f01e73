// How the scores of single images are spread: boxes (5, 25, 50, 75, 95 % of the images) or histograms.
"use strict";
CMC.parts.push(() => {
  const { board, css, el } = CMC;
  const metrics = board.metrics.filter((metric) => board.distributions[metric.name]);
  if (!metrics.length) {
    CMC.fill("distributions-body", CMC.empty("No scores of single images.", "The targets' scores.csv hold them."));
    return;
  }
  const modes = CMC.MODES.filter((mode) =>
    metrics.some((metric) => board.distributions[metric.name].rows.some((row) => row.mode === mode)),
  );
  const state = { metric: metrics[0].name, view: "boxes", mode: "" };
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
    const metric = metrics.find((each) => each.name === state.metric),
      found = board.distributions[metric.name];
    const rows = found.rows.filter((row) => !state.mode || row.mode === state.mode);
    const table = {
      columns: ["Target and mode", "n", "lowest", "5 %", "25 %", "median", "75 %", "95 %", "highest"],
      rows: rows.map((row) => [label(row), String(row.n), ...row.quantiles.map(CMC.score)]),
    };
    const axis = `${metric.label} of single images ${metric.lower ? "(lower is better)" : "(higher is better)"}`;
    if (state.view === "boxes")
      CMC.chart.draw("distributions-body", `${axis}, as boxes`, 70 + rows.length * 30, () => boxes(rows, axis), table);
    else
      CMC.chart.draw("distributions-body", `${axis}, as histograms`, 380, () => histograms(rows, found.edges, axis), table);
  }

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
                return CMC.chart.shorten(this.getLabelForValue(value));
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

  function histograms(rows, edges, axis) {
    const centres = edges.slice(1).map((edge, place) => (edge + edges[place]) / 2),
      dashes = { full: [], image: [8, 3], pixel: [4, 3], text: [2, 3], images: [] };
    return {
      type: "scatter",
      data: {
        datasets: rows.map((row) => ({
          label: CMC.chart.shorten(label(row)),
          data: row.counts.map((count, place) => ({ x: centres[place], y: (100 * count) / row.n })),
          showLine: true,
          stepped: "middle",
          pointRadius: 0,
          pointHitRadius: 6,
          borderWidth: 2,
          borderDash: state.mode ? CMC.chart.dash(row.target) : dashes[row.mode],
          borderColor: CMC.paint(row.target),
          backgroundColor: CMC.paint(row.target),
        })),
      },
      options: {
        interaction: { mode: "nearest", intersect: false },
        scales: {
          x: { title: { display: true, text: axis, color: css("--muted") }, grid: { display: false } },
          y: {
            title: { display: true, text: "share of the images (%)", color: css("--muted") },
            beginAtZero: true,
            grid: { color: css("--line") },
          },
        },
        plugins: {
          legend: {
            display: true,
            position: "bottom",
            labels: {
              usePointStyle: true,
              pointStyle: "line",
              pointStyleWidth: 36,
              color: css("--ink"),
              padding: 12,
              generateLabels: (chart) =>
                Chart.defaults.plugins.legend.labels
                  .generateLabels(chart)
                  .map((item) => ({ ...item, lineDash: chart.data.datasets[item.datasetIndex].borderDash })),
            },
          },
          tooltip: {
            callbacks: {
              label: (item) => ` ${item.dataset.label}: ${item.parsed.y.toFixed(1)} % near ${CMC.score(item.parsed.x)}`,
            },
          },
        },
      },
    };
  }

  const hint = el("p", { class: "hint" }, "Box: half of the images, with the median. Line: 90 % of them.");
  CMC.fill(
    "distributions-bar",
    CMC.metricSelect(metrics, state.metric, (metric) => {
      state.metric = metric;
      draw();
    }),
    modes.length > 1
      ? CMC.select("Mode", [["", "All modes"], ...modes.map((mode) => [mode, CMC.title(mode)])], "", (mode) => {
          state.mode = mode;
          draw();
        })
      : null,
    CMC.choice(
      "Kind of chart",
      [
        ["boxes", "Boxes"],
        ["histograms", "Histograms"],
      ],
      state.view,
      (view) => {
        state.view = view;
        hint.hidden = view === "histograms";
        if (view === "histograms" && modes.length > 1 && !state.mode) {
          state.mode = modes[0]; // all modes on top of each other are hard to read
          document.querySelector("#distributions-bar label:nth-last-of-type(1) select").value = state.mode;
        }
        draw();
      },
    ),
    hint,
  );
  CMC.chart.later("distributions-body", draw);
});
