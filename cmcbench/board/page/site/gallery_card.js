// One image in the gallery: the original beside what every target made of it, with scores, rates and captions.
"use strict";
CMC.card = (() => {
  const { el } = CMC;
  const THUMB = 256; // long side of a thumbnail in pixels

  // how: {filter, order, value: the figure that it was sorted by, open(index, key of a picture)}
  function card(item, { filter, order, value, open }) {
    const made = item.made.filter((each) => filter.targets.has(each.target) && filter.modes.has(each.mode));
    const metric = CMC.board.metrics.find((each) => each.name === order.metric);
    const all = [...item.originals, ...item.references, ...made];
    const entry = all.find((each) => !each.broken && (each.thumb || each.full)) ?? all[0]; // where the tab key stops
    const draw = (each) => figure(item, each, each === entry, metric, made, open);
    const kind = [item.type === "other" ? "" : item.type, item.source, item.size ? `${item.size[0]} × ${item.size[1]}` : ""];
    const missing = { key: "", label: "Original", missing: true };
    return el(
      "article",
      { class: "image", "aria-label": item.name },
      el(
        "header",
        {},
        el("h3", {}, CMC.name(item.name)),
        el("span", { class: "dim" }, kind.filter(Boolean).join(" · ")),
        value === null || value === undefined ? null : el("span", { class: "badge" }, said(order.kind, value, metric.label)),
      ),
      el(
        "div",
        { class: "sides" },
        el("div", { class: "origin" }, (item.originals.length ? item.originals : [missing]).map(draw)),
        el("div", { class: "strip" }, [...item.references, ...made].map(draw)),
      ),
      captions(item, filter),
    );
  }

  function said(order, value, label) {
    const size = `${CMC.score(Math.abs(value))} ${label}`;
    if (order === "disagreement") return `targets differ by ${size}`;
    if (order === "difference") return `${value >= 0 ? "first" : "second"} better by ${size}`;
    return `${value >= 0 ? "better" : "worse"} than the mean by ${size}`;
  }

  function captions(item, filter) {
    const shown = item.captions.filter(([, places]) => places.some((place) => filter.targets.has(place)));
    return el(
      "div",
      { class: "captions" },
      shown.map(([text, places]) =>
        el(
          "p",
          { class: "caption" },
          el("q", {}, CMC.name(text)),
          shown.length > 1
            ? el(
                "span",
                { class: "dim" },
                places.map((place, at) => [at ? ", " : " ", CMC.name(CMC.board.targets[place].name)]),
              )
            : null,
        ),
      ),
    );
  }

  function figure(item, each, entry, metric, made, open) {
    const value = each.scores?.[metric?.name];
    const values = (made ?? []).map((other) => other.scores[metric?.name]).filter((other) => other !== undefined);
    const best =
      value !== undefined && values.length > 1 && value === (metric.lower ? Math.min(...values) : Math.max(...values));
    const small =
      each.target === undefined
        ? null
        : el(
            "span",
            { class: "under-line" },
            el("span", {}, each.mode),
            value === undefined
              ? "–"
              : el(
                  "b",
                  { class: best ? "best" : null, title: best ? `best ${metric.label} here` : metric.label },
                  CMC.score(value),
                ),
            each.bpp === null ? null : el("span", {}, `${CMC.bpp(each.bpp)} bpp`, CMC.sign(each.rateKind)),
          );
    const label =
      each.target === undefined
        ? el("span", { class: "who" }, each.label)
        : el("span", { class: "who" }, CMC.dot(each.target), CMC.name(CMC.board.targets[each.target].name));
    const inside =
      each.broken || each.missing || !(each.thumb || each.full)
        ? el(
            "span",
            { class: "gone", style: item.size ? { "aspect-ratio": `${item.size[0]} / ${item.size[1]}` } : {} },
            each.broken ? "cannot be read" : "no picture",
          )
        : image(item, each);
    const button = el(
      "button",
      {
        type: "button",
        class: "thumb",
        tabindex: entry ? "0" : "-1",
        "data-open": entry ? item.index : null,
        disabled: Boolean(each.missing),
        "aria-label": `Compare ${each.label}: ${item.name}`,
        on: { click: () => open(item.index, each.key) },
      },
      inside,
    );
    return el(
      "figure",
      {},
      button,
      el(
        "figcaption",
        {},
        label,
        small,
        each.changed
          ? el(
              "span",
              { class: "badge partial", title: "The file is another one than that which was scored; score it anew" },
              "changed since",
            )
          : null,
      ),
    );
  }

  // The original is shown large: on a fine screen the browser takes the full picture for it.
  function image(item, each) {
    const small = CMC.address(each.thumb || each.full);
    const node = el("img", {
      alt: each.alt,
      loading: CMC.paper.on ? "eager" : "lazy",
      decoding: "async",
      width: item.size?.[0],
      height: item.size?.[1],
    });
    if (each.key === "truth" && item.size && each.thumb && each.full) {
      const [width, height] = item.size;
      const narrow = Math.max(1, Math.round(width * Math.min(1, THUMB / Math.max(width, height))));
      if (narrow < width) node.srcset = `${small} ${narrow}w, ${CMC.address(each.full)} ${width}w`;
      node.sizes = "(max-width: 48rem) 90vw, 15rem";
      node.addEventListener("error", () => node.removeAttribute("srcset"), { once: true }); // the folder came without it
    }
    node.src = small;
    return node;
  }

  return card;
})();

CMC.walk = (() => {
  // Arrow keys walk through the pictures: along a row, and to the nearest one above or below.
  function walk(event) {
    const all = [...event.currentTarget.querySelectorAll(".thumb:not(:disabled)")],
      at = all.indexOf(event.target);
    const to = {
      ArrowLeft: all[at - 1],
      ArrowRight: all[at + 1],
      Home: all[0],
      End: all[all.length - 1],
      ArrowUp: nearest(all, at, -1),
      ArrowDown: nearest(all, at, 1),
    }[event.key];
    if (at < 0 || !to) return;
    event.preventDefault();
    to.focus();
  }

  function nearest(all, at, down) {
    const middle = (node) => {
      const box = node.getBoundingClientRect();
      return [box.left + box.width / 2, box.top];
    };
    const [x, y] = middle(all[at]);
    const far = (node) => {
      const [left, top] = middle(node);
      return Math.abs(top - y) * 4 + Math.abs(left - x);
    };
    return all.filter((node) => (middle(node)[1] - y) * down > 8).sort((one, other) => far(one) - far(other))[0];
  }

  return walk;
})();
