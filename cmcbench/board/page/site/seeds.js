// Systems with several seeds: what another seed moves beside what other images would.
"use strict";
CMC.parts.push(() => {
  const { el, board, picks } = CMC;
  const OVER = "overall";
  if (!board.seeds.length) return;
  document.getElementById("seeds").hidden = false;
  const modes = [OVER, ...CMC.MODES].filter((mode) => board.seeds.some((row) => row.mode === mode));
  const field = CMC.state.one("seeds", modes);
  const known = new Map(board.metrics.map((metric) => [metric.name, metric]));
  const label = (key) =>
    key === OVER ? "Overall ↑" : `${known.get(key)?.label ?? key} ${known.get(key)?.lower ? "↓" : "↑"}`;

  function draw() {
    const listed = new Set(picks.listed());
    const rows = board.seeds.filter((row) => row.mode === field.get() && row.targets.some((place) => listed.has(place)));
    if (!rows.length) return CMC.fill("seeds-body", CMC.empty("No system fits.", "Choose another mode or other targets."));
    const interval = (row) => (row.low === undefined ? "–" : `${CMC.score(row.low)} to ${CMC.score(row.high)}`);
    CMC.fill(
      "seeds-body",
      el(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": "Seeds as a table" },
        CMC.plainTable(
          ["System", "Seeds", "Score", "Images", "Mean over seeds", "95 % interval over images", "Between seeds", "Range"],
          rows.map((row) => ({
            cells: [
              el("span", {}, CMC.dot(row.targets[0]), " ", CMC.name(row.name)),
              row.seeds.join(", "),
              label(row.metric),
              CMC.whole(row.n),
              CMC.score(row.mean),
              interval(row),
              el("span", { title: "standard deviation between the seeds' means" }, CMC.score(row.sd)),
              `${CMC.score(row.least)} to ${CMC.score(row.most)}`,
            ],
          })),
        ),
      ),
    );
  }

  function bar() {
    CMC.fill(
      "seeds-bar",
      modes.length > 1
        ? CMC.select(
            "Mode",
            modes.map((mode) => [mode, mode === OVER ? "Over the modes" : CMC.title(mode)]),
            field.get(),
            field.set,
          )
        : null,
    );
  }

  CMC.state.follow(["seeds", "t"], draw, bar);
  bar();
  draw();
});
