// The radar of the dimensions: every metric in every mode, each axis from the worst to the best value, which stand beside it.
"use strict";
CMC.parts.push(() => {
  const { board, el, picks, TOPIQ } = CMC;
  const INNER = 0.12; // the worst value stands a little out of the centre, so that a polygon remains a polygon
  const MIDDLE = (1 + INNER) / 2; // of an axis on which there is nothing to compare with
  const MOST = 6; // own polygons, where nobody chose targets
  const single = board.metrics.map((metric) => metric.name);
  const topiq = TOPIQ.every((name) => single.includes(name));
  const SHORT = { [TOPIQ[0]]: "FR", [TOPIQ[1]]: "NR" };
  const sets = [];
  if (topiq) sets.push(["topiq", "TOPIQ, as published", TOPIQ]);
  if (single.some((name) => !TOPIQ.includes(name)))
    sets.push(["own", topiq ? "Other metrics" : "Metrics here", single.filter((name) => !topiq || !TOPIQ.includes(name))]);
  if (!topiq) sets.push(["published", "Published results", TOPIQ]);
  const published = [
    ...new Set(board.lines.filter((line) => line.status === "published" && line.table === "t2i").map((line) => line.name)),
  ];
  const setState = CMC.state.one(
      "radar",
      sets.map(([key]) => key),
    ),
    beside = CMC.state.field("beside", null, { many: true, valid: (name) => name === "" || published.includes(name) });

  function polygons(names) {
    const own = board.targets.map((target, place) => ({
      name: target.name,
      target: place,
      lines: board.lines.filter((line) => line.target === place && !line.content),
    }));
    const rows = TOPIQ.every((name) => names.includes(name))
      ? board.lines.filter((line) => line.status === "published" && line.table === "t2i")
      : [];
    const theirs = [...new Set(rows.map((line) => line.name))].map((name, place) => ({
      name,
      published: place,
      lines: rows.filter((line) => line.name === name),
    }));
    return [...own, ...theirs].filter((each) =>
      each.lines.some((line) => names.some((name) => line.cells?.[name] !== undefined)),
    );
  }

  const known = (each, names) =>
    CMC.MODES.flatMap((mode) => names.filter((name) => value(each, mode, name) !== undefined)).length;

  // The targets chosen; without a choice the first that have a shape, three dimensions or more (a codec has one mode). The
  // published one with most dimensions beside them, or three where there are no others.
  function shown(all, names) {
    const own = all.filter((each) => each.published === undefined && picks.listed().includes(each.target)),
      shapes = own.filter((each) => known(each, names) > 2);
    const kept = picks.auto() ? (shapes.length ? shapes : own).slice(0, MOST) : own;
    const theirs = all.filter((each) => each.published !== undefined),
      wanted = beside.get();
    const fullest = theirs.slice().sort((one, other) => known(other, names) - known(one, names));
    return [
      ...kept,
      ...(wanted
        ? theirs.filter((each) => wanted.includes(each.name))
        : fullest.slice(0, all.length > theirs.length ? 1 : 3)),
    ];
  }

  function draw() {
    const names = sets.find(([key]) => key === setState.get())[2],
      all = polygons(names),
      kept = shown(all, names);
    const axes = CMC.MODES.flatMap((mode) =>
      names.map((name) => ({
        mode,
        name,
        metric: board.metrics.find((each) => each.name === name) ?? { lower: false, label: SHORT[name] },
      })),
    )
      .map((axis) => ({ ...axis, ...span(all, axis) }))
      .filter(({ count }) => count);
    bar(all, kept);
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
    if (!kept.length) {
      CMC.chart.drop("dimensions-body");
      CMC.fill("dimensions-body", picks.none());
      return;
    }
    paint(axes, kept, all);
  }

  // The worst and the best value of an axis among all that are there, not only those shown, so that a choice moves nothing.
  function span(all, { mode, name, metric }) {
    const found = all.map((each) => value(each, mode, name)).filter((each) => each !== undefined);
    const ends = [Math.min(...found), Math.max(...found)];
    const [worst, best] = metric.lower ? ends.reverse() : ends;
    return { worst, best, count: found.length };
  }

  const label = ({ mode, name, metric }) => `${CMC.title(mode)} ${SHORT[name] ?? metric.label}${metric.lower ? " ↓" : ""}`;
  const scale = ({ worst, best, count }) =>
    count < 2
      ? `${CMC.short(best)}, the only one`
      : worst === best
        ? `all ${CMC.short(best)}`
        : `${CMC.short(worst)} → ${CMC.short(best)}`;
  const along = ({ worst, best }, at) =>
    at === undefined ? null : worst === best ? MIDDLE : INNER + ((1 - INNER) * (at - worst)) / (best - worst);

  function paint(axes, kept, all) {
    const gaps = kept.some((each) => axes.some(({ mode, name }) => value(each, mode, name) === undefined));
    const rest =
      all.filter((each) => each.published === undefined).length - kept.filter((each) => each.target !== undefined).length;
    CMC.fill("dimensions-body", el("div", { id: "radar" }));
    CMC.chart.draw(
      "radar",
      `Radar of ${axes.length} dimensions for ${kept.map((each) => each.name).join(", ")}`,
      Math.min(420, Math.max(320, document.getElementById("radar").clientWidth)),
      () => ({
        type: "radar",
        data: {
          labels: axes.map((axis) => [label(axis), scale(axis)]),
          datasets: kept.map((each) => set(each, axes, kept.length > 3 ? 0 : 0.06)),
        },
        options: {
          scales: {
            r: {
              min: 0,
              max: 1,
              ticks: { display: false, stepSize: 0.25 },
              grid: { color: CMC.css("--line") },
              angleLines: { color: CMC.css("--line") },
              pointLabels: { color: CMC.css("--muted"), font: { size: 11, weight: "500" } },
            },
          },
          plugins: {
            tooltip: {
              callbacks: {
                title: (items) => items.slice(0, 1).map((item) => label(axes[item.dataIndex])),
                label: (item) => ` ${item.dataset.label}: ${CMC.score(item.dataset.real[item.dataIndex])}`,
              },
            },
          },
        },
      }),
      {
        columns: ["Target", ...axes.map(label)],
        rows: [
          ...kept.map((each) => [each.name, ...axes.map(({ mode, name }) => CMC.score(value(each, mode, name)))]),
          ["worst of all", ...axes.map(({ worst }) => CMC.score(worst))],
          ["best of all", ...axes.map(({ best }) => CMC.score(best))],
        ],
      },
    );
    document.getElementById("dimensions-body").append(
      el(
        "p",
        { class: "key" },
        kept.map((each) =>
          el("span", {}, sign(each), CMC.name(each.name), each.target === undefined ? " (published)" : null),
        ),
      ),
      el(
        "p",
        { class: "hint" },
        "Each axis runs from its worst value to its best, both beside it. Where one target alone has a value, it stands in the middle.",
        el("span", { class: "gaps", hidden: !gaps }, " A line breaks where a target has no score in a mode."),
        picks.auto() && rest > 0 ? ` ${CMC.count(rest, "other target")}: choose with the button Targets.` : "",
      ),
    );
  }

  function bar(all, kept) {
    const theirs = all.filter((each) => each.published !== undefined);
    const on = new Set(kept.filter((each) => each.published !== undefined).map((each) => each.name));
    const active = document.activeElement?.closest?.("#dimensions-bar [data-key]")?.dataset.key;
    const toggles = theirs.map((each) => {
      const chip = CMC.toggle(CMC.name(each.name), on.has(each.name), (now) => {
        now ? on.add(each.name) : on.delete(each.name);
        beside.set(on.size ? [...on] : [""]);
      });
      chip.dataset.key = `beside-${each.published}`;
      return chip;
    });
    CMC.fill(
      "dimensions-bar",
      sets.length > 1
        ? CMC.choice(
            "Dimensions",
            sets.map(([key, text]) => [key, text]),
            setState.get(),
            setState.set,
          )
        : null,
      theirs.length
        ? el(
            "details",
            { class: "more", open: bar.open, on: { toggle: (event) => (bar.open = event.currentTarget.open) } },
            el("summary", {}, "Published results beside them"),
            el("div", { class: "chips", role: "group", "aria-label": "Published results in the radar" }, toggles),
          )
        : null,
    );
    if (active) document.querySelector(`#dimensions-bar [data-key="${CSS.escape(active)}"]`)?.focus();
  }

  function value(each, mode, name) {
    return each.lines.find((line) => line.mode === mode)?.cells?.[name];
  }

  function sign(each) {
    if (each.target !== undefined) return CMC.dot(each.target);
    const hue = setState.get() === "published" ? `var(--c${each.published % 8})` : "var(--muted)";
    return el("i", { class: "dot hollow", "aria-hidden": "true", style: { "--dot": hue } });
  }

  function set(each, axes, share) {
    const theirs = each.target === undefined;
    const colour = !theirs
      ? CMC.paint(each.target)
      : setState.get() === "published"
        ? CMC.hue(each.published)
        : CMC.css("--muted");
    const real = axes.map(({ mode, name }) => value(each, mode, name));
    return {
      label: each.name + (theirs ? " (published)" : ""),
      real,
      data: real.map((at, place) => along(axes[place], at)),
      borderColor: colour,
      backgroundColor: CMC.faint(colour, share),
      fill: !real.includes(undefined),
      borderWidth: 2,
      borderDash: theirs ? [5, 4] : [],
      pointStyle: theirs ? "circle" : CMC.shape(each.target),
      pointRadius: 3,
      pointHoverRadius: 5,
      pointBackgroundColor: theirs ? CMC.css("--surface") : colour,
      pointHitRadius: 8,
    };
  }

  CMC.chart.follow("dimensions-body", ["radar", "beside", "t"], draw);
  CMC.chart.later("dimensions-body", draw);
});
