// Below two pictures: what each was sent as, its captions, and the scores of all that was made of the image.
"use strict";
CMC.sides = (item, left, right) => {
  const { el, board } = CMC;
  const caption = (each) =>
    each.target === undefined ? "" : (item.captions.find(([, places]) => places.includes(each.target))?.[0] ?? "");
  const scored = board.metrics.filter((metric) => [left, right].some((each) => each.scores?.[metric.name] !== undefined));

  function side(each, letter) {
    const facts = [
      each.bits === null || each.bits === undefined ? null : [[CMC.whole(each.bits), CMC.sign(each.rateKind)], "bits"],
      each.bpp === null || each.bpp === undefined ? null : [[CMC.bpp(each.bpp), CMC.sign(each.rateKind)], "bpp"],
      ...scored
        .filter((metric) => each.scores?.[metric.name] !== undefined)
        .map((metric) => [CMC.score(each.scores[metric.name]), `${metric.label} ${metric.lower ? "↓" : "↑"}`]),
    ].filter(Boolean);
    const text = each.mode === "image" ? "" : caption(each);
    return el(
      "div",
      { class: "side" },
      el("h3", {}, `${letter}: `, CMC.name(each.label)),
      facts.length
        ? el(
            "dl",
            {},
            facts.map(([value, label]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))),
          )
        : null,
      text ? el("p", { class: "caption" }, el("q", {}, CMC.name(text))) : null,
      each.changed ? el("p", { class: "note" }, "This file is another one than that which was scored.") : null,
    );
  }

  const said = [left, right].filter((each) => each.mode !== "image").map(caption);
  const others = item.captions.filter(([text]) => !said.includes(text));
  return el(
    "div",
    {},
    el("div", { class: "two facing" }, side(left, "A"), side(right, "B")),
    el(
      "div",
      { class: "captions" },
      others.map(([text, places]) =>
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
  );
};

// shown: the key of the picture on the right; choose(key) puts another one there.
CMC.scores = (item, shown, choose) => {
  const { el, board } = CMC,
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
        { type: "button", class: "row", disabled: !(each.thumb || each.full), on: { click: () => choose(each.key) } },
        CMC.dot(each.target),
        CMC.name(board.targets[each.target].name),
        el("span", { class: "dim" }, ` ${each.mode}`),
      ),
      { text: each.bits === null ? "–" : [CMC.whole(each.bits), CMC.sign(each.rateKind)] },
      { text: [CMC.bpp(each.bpp), each.bpp === null ? null : CMC.sign(each.rateKind)] },
      ...metrics.map(({ name }) => ({
        text: CMC.score(each.scores[name]),
        class: item.made.length > 1 && each.scores[name] === best[name] ? "best" : null,
      })),
    ],
  }));
  const region = { class: "scroll", tabindex: "0", role: "region", "aria-label": "Scores of this image" };
  return el("div", region, CMC.plainTable(columns, rows));
};
