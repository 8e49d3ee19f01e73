// The images, a page at a time: the original beside what every target made of it.
"use strict";
CMC.parts.push(() => {
  const { el, board } = CMC;
  const PAGE = 8;
  const scored = board.metrics.filter((metric) => board.distributions[metric.name]);
  const modes = CMC.MODES.filter((mode) => board.targets.some((target) => target.modes.includes(mode)));
  const columns = board.targets.flatMap((target, place) => target.modes.map((mode) => [`${place}-${mode}`, `${target.name} · ${mode}`]));
  const rivals = modes.some((mode) => board.targets.filter((target) => target.modes.includes(mode)).length > 1);
  const filter = { text: "", content: "", targets: new Set(board.targets.keys()), modes: new Set(modes) };
  const order = { kind: scored.length ? (rivals ? "disagreement" : "worst") : "name", metric: scored[0]?.name ?? "", one: columns[0]?.[0], other: columns.find(([key]) => key.split("-")[0] !== columns[0][0].split("-")[0])?.[0] ?? columns[1]?.[0] };
  const ORDERS = [
    rivals ? ["disagreement", "Targets disagree most"] : null, ["best", "Best first"], ["worst", "Worst first"], columns.length > 1 ? ["difference", "Difference of two"] : null, ["name", "Name"],
  ].filter((each) => each && (scored.length || each[0] === "name"));
  let data = null, page = 0, found = { indices: [], values: null };

  function refresh() {
    page = 0;
    if (data) draw();
  }

  function draw() {
    found = CMC.album.sorted(data, filter, order);
    const pages = Math.max(1, Math.ceil(found.indices.length / PAGE));
    page = Math.min(page, pages - 1);
    const shown = found.indices.slice(page * PAGE, (page + 1) * PAGE);
    const range = shown.length ? `${CMC.whole(page * PAGE + 1)}–${CMC.whole(page * PAGE + shown.length)} of ${CMC.whole(found.indices.length)}` : "none";
    CMC.fill("images-body",
      el("p", { class: "count", id: "images-count", tabindex: "-1" }, `Images ${range}${found.indices.length < data.images.names.length ? `, of ${CMC.whole(data.images.names.length)} in all` : ""}`),
      shown.length ? el("div", { class: "gallery", on: { keydown: walk } }, shown.map((index) => card(CMC.album.item(data, index)))) : CMC.empty("No image fits.", "Take a filter away to see more."),
      pages > 1 ? pager(pages) : null);
  }

  function turn(to) {
    page = to;
    draw();
    document.getElementById("images").scrollIntoView();
    document.getElementById("images-count").focus({ preventScroll: true });
  }

  function pager(pages) {
    const step = (label, to, off) => el("button", { type: "button", disabled: off, on: { click: () => turn(to) } }, label);
    return el("nav", { class: "pager", "aria-label": "Pages of images" }, step("First", 0, page === 0), step("Previous", page - 1, page === 0), el("span", {}, `${CMC.whole(page + 1)} / ${CMC.whole(pages)}`), step("Next", page + 1, page === pages - 1), step("Last", pages - 1, page === pages - 1));
  }

  function card(item) {
    const made = item.made.filter((each) => filter.targets.has(each.target) && filter.modes.has(each.mode));
    const value = found.values?.[item.index], metric = scored.find((each) => each.name === order.metric);
    const kind = [item.type === "other" ? "" : item.type, item.source, item.size ? `${item.size[0]} × ${item.size[1]}` : ""].filter(Boolean).join(" · ");
    const said = { disagreement: (v) => `targets differ by ${CMC.score(v)} ${metric.label}`, difference: (v) => `${v >= 0 ? "+" : "−"}${CMC.score(Math.abs(v))} ${metric.label} in favour of the ${v >= 0 ? "first" : "second"}` }[order.kind];
    const first = item.originals.length ? item.originals : [{ key: "", label: "Original", missing: true }];
    return el("article", { class: "image", "aria-label": item.name },
      el("header", {}, el("h3", {}, CMC.name(item.name)), el("span", { class: "dim" }, kind), said && value !== null && value !== undefined ? el("span", { class: "badge" }, said(value)) : null),
      el("div", { class: "sides" }, el("div", { class: "origin" }, first.map((each) => figure(item, each, true))), el("div", { class: "strip" }, [...item.references, ...made].map((each) => figure(item, each, false, metric, made)))),
      captions(item));
  }

  function captions(item) {
    const shown = item.captions.filter(([, places]) => places.some((place) => filter.targets.has(place)));
    return el("div", { class: "captions" }, shown.map(([text, places]) => el("p", { class: "caption" }, el("q", {}, CMC.name(text)), shown.length > 1 ? el("span", { class: "dim" }, places.map((place, at) => [at ? ", " : " ", CMC.name(board.targets[place].name)])) : null)));
  }

  function figure(item, each, first, metric, made) {
    const value = each.scores?.[metric?.name];
    const values = (made ?? []).map((other) => other.scores[metric?.name]).filter((other) => other !== undefined);
    const best = value !== undefined && values.length > 1 && value === (metric.lower ? Math.min(...values) : Math.max(...values));
    const small = each.target === undefined ? null : el("span", { class: "under-line" }, value === undefined ? "–" : el("b", { class: best ? "best" : null, title: best ? `best ${metric.label} here` : metric.label }, CMC.score(value)), each.bpp === null ? null : el("span", {}, `${CMC.bpp(each.bpp)} bpp`));
    const label = each.target === undefined ? el("span", { class: "who" }, each.label) : el("span", { class: "who" }, el("i", { class: "dot", "aria-hidden": "true", style: { "--dot": CMC.colour(each.target) } }), CMC.name(board.targets[each.target].name), el("span", { class: "dim" }, ` ${each.mode}`));
    const inside = each.broken || each.missing || !(each.thumb || each.full)
      ? el("span", { class: "gone", style: item.size ? { "aspect-ratio": `${item.size[0]} / ${item.size[1]}` } : {} }, each.broken ? "cannot be read" : "no picture")
      : el("img", { src: CMC.address(each.thumb || each.full), alt: each.alt, loading: "lazy", decoding: "async", width: item.size?.[0], height: item.size?.[1] });
    const open = () => CMC.view(data, found.indices, item.index, first ? null : each.key, (index) => document.querySelector(`.gallery [data-open="${index}"]`));
    const button = el("button", { type: "button", class: "thumb", tabindex: first ? "0" : "-1", "data-open": first ? item.index : null, disabled: Boolean(each.missing), "aria-label": `Compare ${each.label}: ${item.name}`, on: { click: open } }, inside);
    return el("figure", {}, button, el("figcaption", {}, label, small, each.changed ? el("span", { class: "badge partial", title: "The file is another one than that which was scored; score it anew" }, "changed since") : null));
  }

  // Arrow keys walk through the pictures: along a row, and to the nearest one above or below.
  function walk(event) {
    const all = [...event.currentTarget.querySelectorAll(".thumb:not(:disabled)")], at = all.indexOf(event.target);
    const to = { ArrowLeft: all[at - 1], ArrowRight: all[at + 1], Home: all[0], End: all[all.length - 1], ArrowUp: nearest(all, at, -1), ArrowDown: nearest(all, at, 1) }[event.key];
    if (at < 0 || !to) return;
    event.preventDefault();
    to.focus();
  }

  function nearest(all, at, down) {
    const middle = (node) => { const box = node.getBoundingClientRect(); return [box.left + box.width / 2, box.top]; };
    const [x, y] = middle(all[at]);
    const far = (node) => { const [left, top] = middle(node); return Math.abs(top - y) * 4 + Math.abs(left - x); };
    return all.filter((node) => (middle(node)[1] - y) * down > 8).sort((one, other) => far(one) - far(other))[0];
  }

  function pair() {
    return order.kind !== "difference" ? [] : [CMC.select("First", columns, order.one, (key) => { order.one = key; refresh(); }), CMC.select("Second", columns, order.other, (key) => { order.other = key; refresh(); })];
  }

  const pairs = el("span", { class: "pairs" });
  const contents = Object.entries(board.groups).flatMap(([kind, sources]) => [[kind, kind], ...sources.map((source) => [`${kind}/${source}`, `${kind} · ${source}`])]);
  const show = (set, key) => (on) => { on ? set.add(key) : set.delete(key); refresh(); };
  CMC.fill("images-bar",
    CMC.select("Order", ORDERS, order.kind, (kind) => { order.kind = kind; CMC.fill(pairs, pair()); refresh(); }), pairs,
    scored.length > 1 ? CMC.select("Metric", scored.map((metric) => [metric.name, metric.label]), order.metric, (metric) => { order.metric = metric; refresh(); }) : null,
    contents.length > 1 ? CMC.select("Content", [["", "All"], ...contents], "", (content) => { filter.content = content; refresh(); }) : null,
    CMC.search("Search names and captions", (text) => { filter.text = text; refresh(); }),
    board.targets.length > 1 ? el("div", { class: "chips", role: "group", "aria-label": "Shown targets" }, board.targets.map((target, place) => CMC.toggle(CMC.name(target.name), true, show(filter.targets, place), CMC.colour(place)))) : null,
    modes.length > 1 ? el("div", { class: "chips", role: "group", "aria-label": "Shown modes" }, modes.map((mode) => CMC.toggle(CMC.title(mode), true, show(filter.modes, mode)))) : null);
  CMC.fill("images-body", el("p", { class: "count" }, "Loading…"));
  CMC.chart.later("images", () => CMC.album.open().then((opened) => { data = opened; draw(); }, (error) => CMC.fill("images-body", CMC.empty("The images could not be loaded.", `${error.message}. Make the report anew with: python -m cmcbench report`))));
});
