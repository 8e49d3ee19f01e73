// One image in full: any two of its pictures under a wipe, its captions, bits and scores.
"use strict";
CMC.view = (() => {
  const { el } = CMC;
  const dialog = document.getElementById("viewer");
  let state = null;

  // indices: the order in which Previous and Next go. other: the key of the picture on the right; where it is the original
  // or none, the first reconstruction is. opener(index): what gets the focus when the dialog closes.
  function view(data, indices, index, other, opener) {
    state = { data, indices, index, left: "truth", right: other === "truth" ? null : other, zoom: "fit", opener };
    draw();
    if (!dialog.open) dialog.showModal();
    document.documentElement.classList.add("still");
    dialog.querySelector("input[type=range]")?.focus();
  }

  function draw() {
    const { board } = CMC,
      item = CMC.album.item(state.data, state.index);
    const all = [...item.originals, ...item.references, ...item.made].filter((each) => each.thumb || each.full);
    const find = (key) => all.find((each) => each.key === key);
    const left = find(state.left) ?? all[0],
      right = find(state.right) ?? all.find((each) => each.target !== undefined) ?? all[all.length - 1];
    const at = state.indices.indexOf(state.index),
      wipe = CMC.wipe(item.size),
      options = all.map((each) => [each.key, each.label]);
    const stage = el("div", { class: "stage" }, wipe.frame),
      pan = el("div", { class: "pan", tabindex: state.zoom === "fit" ? null : "0" }, stage);
    if (item.size) stage.style.setProperty("--ratio", String(item.size[0] / item.size[1]));

    function zoom(how) {
      state.zoom = how;
      pan.dataset.zoom = how;
      stage.style.setProperty(
        "--wide",
        how === "fit" || !item.size ? "auto" : `${(item.size[0] * Number(how)) / devicePixelRatio}px`,
      );
    }

    CMC.fill(
      dialog,
      el(
        "header",
        {},
        el("h2", { id: "viewer-title" }, CMC.name(item.name)),
        el("span", { class: "dim" }, `${at + 1} of ${state.indices.length}`),
        el(
          "span",
          { class: "steps" },
          step("Previous", -1, at),
          step("Next", 1, at),
          el("button", { type: "button", class: "close", "aria-label": "Close", on: { click: () => dialog.close() } }, "✕"),
        ),
      ),
      all.length
        ? [
            el(
              "div",
              { class: "bar" },
              CMC.select("Left", options, left.key, (key) => {
                state.left = key;
                redraw();
              }),
              CMC.select("Right", options, right.key, (key) => {
                state.right = key;
                redraw();
              }),
              item.size
                ? CMC.choice(
                    "Size",
                    [
                      ["fit", "Fit"],
                      ["1", "1:1"],
                      ["2", "2:1"],
                      ["4", "4:1"],
                    ],
                    state.zoom,
                    zoom,
                  )
                : null,
            ),
            pan,
          ]
        : CMC.empty("No picture of this image is in the report."),
      el(
        "div",
        { class: "captions" },
        item.captions.map(([text, places]) =>
          el(
            "p",
            { class: "caption" },
            el("q", {}, CMC.name(text)),
            el(
              "span",
              { class: "dim" },
              places.map((place, nth) => [nth ? ", " : " ", CMC.name(board.targets[place].name)]),
            ),
          ),
        ),
      ),
      scores(item, right?.key),
    );
    if (all.length) wipe.show(left, right);
    zoom(state.zoom);
  }

  function redraw() {
    const active = [...dialog.querySelectorAll("select, button, input")].indexOf(document.activeElement);
    draw();
    [...dialog.querySelectorAll("select, button, input")][active]?.focus();
  }

  function step(label, by, at) {
    return el(
      "button",
      { type: "button", "data-step": by, disabled: state.indices[at + by] === undefined, on: { click: () => go(by) } },
      label,
    );
  }

  function go(by) {
    const next = state.indices[state.indices.indexOf(state.index) + by];
    if (next === undefined) return;
    state.index = next;
    redraw();
  }

  function scores(item, shown) {
    const { board } = CMC,
      metrics = board.metrics.filter((metric) => item.made.some((each) => each.scores[metric.name] !== undefined));
    const best = Object.fromEntries(
      metrics.map((metric) => {
        const values = item.made.map((each) => each.scores[metric.name]).filter((value) => value !== undefined);
        return [metric.name, metric.lower ? Math.min(...values) : Math.max(...values)];
      }),
    );
    const columns = ["Target and mode", "bits", "bpp", ...metrics.map((each) => `${each.label} ${each.lower ? "↓" : "↑"}`)];
    const rows = item.made.map((each) => ({
      class: each.key === shown ? "chosen" : null,
      cells: [
        el(
          "button",
          {
            type: "button",
            class: "row",
            disabled: !(each.thumb || each.full),
            on: {
              click: () => {
                state.right = each.key;
                redraw();
              },
            },
          },
          el("i", { class: "dot", "aria-hidden": "true", style: { "--dot": CMC.colour(each.target) } }),
          CMC.name(board.targets[each.target].name),
          el("span", { class: "dim" }, ` ${each.mode}`),
        ),
        each.bits === null ? "–" : CMC.whole(each.bits),
        CMC.bpp(each.bpp),
        ...metrics.map(({ name }) => ({
          text: CMC.score(each.scores[name]),
          class: item.made.length > 1 && each.scores[name] === best[name] ? "best" : null,
        })),
      ],
    }));
    const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores of this image" };
    return el("div", region, CMC.plainTable(columns, rows));
  }

  dialog.addEventListener("keydown", (event) => {
    const range =
      event.target.matches("input[type=range], select") ||
      (event.target.closest(".pan, .scroll") && event.target.tabIndex === 0 && !event.target.matches("button"));
    const by = { PageUp: -1, PageDown: 1, ArrowLeft: range ? 0 : -1, ArrowRight: range ? 0 : 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    go(by);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    document.documentElement.classList.remove("still");
    CMC.fill(dialog);
    state.opener?.(state.index)?.focus();
  });
  return view;
})();
