// The images, a page at a time: the original beside what every target made of it.
"use strict";
CMC.parts.push(() => {
  const { el, board } = CMC;
  const PAGE = 8;
  const scored = board.metrics.filter((metric) => board.distributions[metric.name]);
  const modes = CMC.MODES.filter((mode) => board.targets.some((target) => target.modes.includes(mode)));
  const columns = board.targets.flatMap((target, place) =>
    target.modes.map((mode) => [`${place}-${mode}`, `${target.name} · ${mode}`]),
  );
  const rivals = modes.some((mode) => board.targets.filter((target) => target.modes.includes(mode)).length > 1);
  const filter = { text: "", content: "", targets: new Set(board.targets.keys()), modes: new Set(modes) };
  const order = {
    kind: scored.length ? (rivals ? "disagreement" : "worst") : "name",
    metric: scored[0]?.name ?? "",
    one: columns[0]?.[0],
    other: columns.find(([key]) => key.split("-")[0] !== columns[0][0].split("-")[0])?.[0] ?? columns[1]?.[0],
  };
  const ORDERS = [
    rivals ? ["disagreement", "Targets disagree most"] : null,
    ["best", "Best first"],
    ["worst", "Worst first"],
    columns.length > 1 ? ["difference", "Difference of two"] : null,
    ["name", "Name"],
  ].filter((each) => each && (scored.length || each[0] === "name"));
  let data = null,
    page = 0,
    found = { indices: [], values: null };

  const open = (index, key) =>
    CMC.view(data, found.indices, index, key, (at) => document.querySelector(`.gallery [data-open="${at}"]`));

  function refresh() {
    page = 0;
    if (data) draw();
  }

  function draw() {
    found = CMC.album.sorted(data, filter, order);
    const pages = Math.max(1, Math.ceil(found.indices.length / PAGE));
    page = Math.min(page, pages - 1);
    const shown = found.indices.slice(page * PAGE, (page + 1) * PAGE);
    const range = shown.length
      ? `${CMC.whole(page * PAGE + 1)}–${CMC.whole(page * PAGE + shown.length)} of ${CMC.whole(found.indices.length)}`
      : "none";
    CMC.fill(
      "images-body",
      el(
        "p",
        { class: "count", id: "images-count", tabindex: "-1" },
        `Images ${range}${found.indices.length < data.images.names.length ? `, of ${CMC.whole(data.images.names.length)} in all` : ""}`,
      ),
      shown.length
        ? el(
            "div",
            { class: "gallery", on: { keydown: CMC.walk } },
            shown.map((index) =>
              CMC.card(CMC.album.item(data, index), { filter, order, value: found.values?.[index], open }),
            ),
          )
        : CMC.empty("No image fits.", "Take a filter away to see more."),
      pages > 1 ? pager(pages) : null,
    );
  }

  function turn(to) {
    page = to;
    draw();
    document.getElementById("images").scrollIntoView();
    document.getElementById("images-count").focus({ preventScroll: true });
  }

  function pager(pages) {
    const step = (label, to, off) => el("button", { type: "button", disabled: off, on: { click: () => turn(to) } }, label);
    return el(
      "nav",
      { class: "pager", "aria-label": "Pages of images" },
      step("First", 0, page === 0),
      step("Previous", page - 1, page === 0),
      el("span", {}, `${CMC.whole(page + 1)} / ${CMC.whole(pages)}`),
      step("Next", page + 1, page === pages - 1),
      step("Last", pages - 1, page === pages - 1),
    );
  }

  function pair() {
    return order.kind !== "difference"
      ? []
      : [
          CMC.select("First", columns, order.one, (key) => {
            order.one = key;
            refresh();
          }),
          CMC.select("Second", columns, order.other, (key) => {
            order.other = key;
            refresh();
          }),
        ];
  }

  const pairs = el("span", { class: "pairs" });
  const contents = Object.entries(board.groups).flatMap(([kind, sources]) => [
    [kind, kind],
    ...sources.map((source) => [`${kind}/${source}`, `${kind} · ${source}`]),
  ]);
  const show = (set, key) => (on) => {
    on ? set.add(key) : set.delete(key);
    refresh();
  };
  CMC.fill(
    "images-bar",
    CMC.select("Order", ORDERS, order.kind, (kind) => {
      order.kind = kind;
      CMC.fill(pairs, pair());
      refresh();
    }),
    pairs,
    CMC.metricSelect(scored, order.metric, (metric) => {
      order.metric = metric;
      refresh();
    }),
    contents.length > 1
      ? CMC.select("Content", [["", "All"], ...contents], "", (content) => {
          filter.content = content;
          refresh();
        })
      : null,
    CMC.search("Search names and captions", (text) => {
      filter.text = text;
      refresh();
    }),
    board.targets.length > 1
      ? el(
          "div",
          { class: "chips", role: "group", "aria-label": "Shown targets" },
          board.targets.map((target, place) =>
            CMC.toggle(CMC.name(target.name), true, show(filter.targets, place), CMC.colour(place)),
          ),
        )
      : null,
    modes.length > 1
      ? el(
          "div",
          { class: "chips", role: "group", "aria-label": "Shown modes" },
          modes.map((mode) => CMC.toggle(CMC.title(mode), true, show(filter.modes, mode))),
        )
      : null,
  );
  CMC.fill("images-body", el("p", { class: "count" }, "Loading…"));
  CMC.chart.later("images", () =>
    CMC.album.open().then(
      (opened) => {
        data = opened;
        draw();
      },
      (error) =>
        CMC.fill(
          "images-body",
          CMC.empty(
            "The images could not be loaded.",
            `${error.message}. Make the report anew with: python -m cmcbench report`,
          ),
        ),
    ),
  );
});
