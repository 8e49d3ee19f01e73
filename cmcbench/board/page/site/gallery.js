// The images, a page at a time: the original beside what every target made of it.
"use strict";
CMC.parts.push(() => {
  const { el, board, picks } = CMC;
  const MOST = 8, // images on a page; fewer where each has many pictures
    PICTURES = 264; // on a page, about
  const scored = board.metrics.filter((metric) => board.distributions[metric.name]);
  const modes = CMC.MODES.filter((mode) => board.targets.some((target) => target.modes.includes(mode)));
  const columns = board.targets.flatMap((target, place) =>
    target.modes.map((mode) => [`${place}-${mode}`, `${target.name} · ${mode}`]),
  );
  const rivals = modes.some((mode) => board.targets.filter((target) => target.modes.includes(mode)).length > 1);
  const ORDERS = [
    rivals ? ["disagreement", "Targets disagree most"] : null,
    ["best", "Best first"],
    ["worst", "Worst first"],
    columns.length > 1 ? ["difference", "Difference of two"] : null,
    ["name", "Name"],
  ].filter((each) => each && (scored.length || each[0] === "name"));
  const contents = Object.entries(board.groups).flatMap(([kind, sources]) => [
    [kind, kind],
    ...sources.map((source) => [`${kind}/${source}`, `${kind} · ${source}`]),
  ]);
  const keys = columns.map(([key]) => key);
  const second = keys.find((key) => key.split("-")[0] !== keys[0].split("-")[0]) ?? keys[1] ?? keys[0];
  const NAMED = new Map(columns.map(([key]) => [named(key), key])); // an address names targets, whose places may change
  const fields = {
    kind: CMC.state.one(
      "order",
      ORDERS.map(([key]) => key),
      scored.length ? (rivals ? "disagreement" : "worst") : "name",
    ),
    metric: CMC.state.one("by", scored.length ? scored.map((metric) => metric.name) : [""]),
    one: CMC.state.one("one", [...NAMED.keys()], named(keys[0] ?? "")),
    other: CMC.state.one("other", [...NAMED.keys()], named(second ?? "")),
    content: CMC.state.one("of", ["", ...contents.map(([key]) => key)]),
    text: CMC.state.field("search", ""),
    modes: CMC.state.field("modes", null, { many: true, valid: (mode) => mode === "" || modes.includes(mode) }),
    page: CMC.state.field("page", "1", { valid: (text) => /^[1-9]\d{0,6}$/.test(text) }),
  };
  let data = null,
    found = { indices: [], values: null };

  function named(key) {
    const [place, mode] = key.split("-");
    return key ? `${board.targets[place].name}/${mode}` : "";
  }

  const filter = () => ({
    text: fields.text.get(),
    content: fields.content.get(),
    targets: new Set(picks.charted()),
    modes: new Set(fields.modes.get() ?? modes),
  });
  const order = () => ({
    kind: fields.kind.get(),
    metric: fields.metric.get(),
    one: NAMED.get(fields.one.get()),
    other: NAMED.get(fields.other.get()),
  });

  const open = (index, key) =>
    CMC.view.open(data, found.indices, index, key, (at) => document.querySelector(`.gallery [data-open="${at}"]`));

  // What a control changes begins on the first page.
  const change = (field) => (value) => {
    fields.page.set("1", { quiet: true });
    field.set(value);
  };

  function draw() {
    if (!data) return;
    const kept = filter(),
      how = order();
    found = CMC.album.sorted(data, kept, how);
    const pictures = columns.filter(
      ([key]) => kept.targets.has(Number(key.split("-")[0])) && kept.modes.has(key.split("-")[1]),
    );
    const share = matchMedia("(max-width: 40rem)").matches ? 0.4 : 1; // a phone has room for fewer beside each other
    const size = Math.max(1, Math.min(MOST, Math.floor((PICTURES * share) / (1 + pictures.length))));
    const pages = Math.max(1, Math.ceil(found.indices.length / size)),
      page = Math.min(Number(fields.page.get()), pages) - 1;
    const shown = found.indices.slice(page * size, (page + 1) * size);
    const range = shown.length
      ? `${CMC.whole(page * size + 1)}–${CMC.whole(page * size + shown.length)} of ${CMC.whole(found.indices.length)}`
      : "none";
    CMC.fill(
      "images-body",
      el(
        "p",
        { class: "count", id: "images-count", tabindex: "-1" },
        `Images ${range}${found.indices.length < data.images.names.length ? `, of ${CMC.whole(data.images.names.length)} in all` : ""}. ${picks.rest(kept.targets.size)}`,
      ),
      shown.length
        ? el(
            "div",
            { class: "gallery", on: { keydown: CMC.walk } },
            shown.map((index) =>
              CMC.card(CMC.album.item(data, index), { filter: kept, order: how, value: found.values?.[index], open }),
            ),
          )
        : CMC.empty("No image fits.", "Take a filter away to see more."),
      pages > 1 ? pager(page, pages) : null,
    );
  }

  function turn(to) {
    fields.page.set(String(to + 1));
    document.getElementById("images").scrollIntoView();
    document.getElementById("images-count").focus({ preventScroll: true });
  }

  function pager(page, pages) {
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
    if (fields.kind.get() !== "difference") return [];
    const options = columns.map(([key, label]) => [named(key), label]);
    return [
      CMC.select("First", options, fields.one.get(), change(fields.one)),
      CMC.select("Second", options, fields.other.get(), change(fields.other)),
    ];
  }

  function bar() {
    const pairs = el("span", { class: "pairs" }, pair());
    const on = new Set(fields.modes.get() ?? modes);
    CMC.fill(
      "images-bar",
      CMC.select("Order", ORDERS, fields.kind.get(), (kind) => {
        change(fields.kind)(kind);
        CMC.fill(pairs, pair());
      }),
      pairs,
      CMC.metricSelect(scored, fields.metric.get(), change(fields.metric)),
      contents.length > 1
        ? CMC.select("Content", [["", "All"], ...contents], fields.content.get(), change(fields.content))
        : null,
      CMC.search("Search names and captions", fields.text.get(), change(fields.text)),
      modes.length > 1
        ? el(
            "div",
            { class: "chips", role: "group", "aria-label": "Shown modes" },
            modes.map((mode) =>
              CMC.toggle(CMC.title(mode), on.has(mode), (now) => {
                now ? on.add(mode) : on.delete(mode);
                const kept = modes.filter((each) => on.has(each));
                change(fields.modes)(kept.length === modes.length ? null : kept.length ? kept : [""]);
              }),
            ),
          )
        : null,
    );
  }

  // Once, when the images come near the window or an address asks for one of them.
  function start() {
    CMC.album.open().then(
      (opened) => {
        data = opened;
        draw();
        CMC.view.restore(data, () => found.indices);
      },
      (error) =>
        CMC.fill(
          "images-body",
          CMC.empty(
            "The images could not be loaded.",
            `${error.message}. Make the report anew with: python -m cmcbench report`,
          ),
        ),
    );
  }

  bar();
  CMC.fill("images-body", el("p", { class: "count" }, "Loading…"));
  CMC.state.follow(["order", "by", "one", "other", "of", "search", "modes", "page", "t"], draw, bar);
  CMC.chart.later("images", start);
});
