// The first thing one sees: a picture, the bits that it was sent as, and what came back.
"use strict";
CMC.parts.push(() => {
  const { el, board, whole } = CMC;
  const picks = board.featured;
  const KINDS = { typical: "Typical", best: "Best", worst: "Worst" };
  const modes = CMC.MODES.filter((mode) => board.targets.some((target) => target.modes.includes(mode)));
  const facts = el(
    "dl",
    { class: "facts" },
    [
      [board.images, "image"],
      [board.targets.length, "target"],
      [modes.length, "mode"],
      [board.metrics.length, "metric"],
    ].map(([n, word]) => fact(whole(n), CMC.count(n, word).replace(/^\S+ /, ""))),
  );
  const heading = el("h1", {}),
    story = el("p", { class: "story" }),
    quote = el("blockquote", {}),
    details = el("p", { class: "details" });
  const words = el(
    "div",
    { class: "words" },
    el("p", { class: "kicker" }, "Cross-modality compression, measured"),
    heading,
    story,
    quote,
    details,
    facts,
  );

  function fact(value, label) {
    return el("div", {}, el("dt", {}, label), el("dd", {}, value));
  }

  if (!picks.length) {
    heading.textContent = "How much of a picture survives a sentence?";
    story.textContent =
      board.pictures === "none"
        ? "The scores are below. The report was made without pictures."
        : board.truth
          ? "The scores are below. No target has pictures in this report that could be shown beside their originals."
          : "The scores are below. The report was made without the ground truth; name its folder with --ground_truth to see every picture beside what came back.";
    quote.hidden = details.hidden = true;
    CMC.fill("start", words);
    return;
  }

  const stage = el("div", { class: "stage" });
  let wipe = null;

  const kinds = picks.map((each) => each.kind);
  const field = CMC.state.one("first", kinds);

  function show() {
    const kind = field.get();
    const pick = picks.find((each) => each.kind === kind) ?? picks[0];
    const target = board.targets[pick.target],
      metric = board.metrics.find((each) => each.name === pick.metric);
    const nominal = target.rates[pick.mode]?.kind === "nominal";
    const estimated = target.rates[pick.mode]?.kind === "estimated";
    heading.textContent = pick.bits
      ? `This picture ${nominal || estimated ? "would take about" : "was sent as"} ${CMC.bytes(pick.bits)}.`
      : "How much of a picture survives?";
    CMC.fill(
      story,
      pick.bpp ? `That is ${CMC.bpp(pick.bpp)} bits for each pixel instead of 24, ${whole(24 / pick.bpp)} times less. ` : "",
      nominal ? "That is the protocol's rate, not counted on a bitstream. " : "",
      estimated ? "That rate is an estimate, and no stream backs it. " : "",
      el("span", { class: "by-hand" }, "Drag the line. "),
      "On the left is the original, on the right what ",
      el("strong", {}, CMC.name(target.name)),
      ` made of it in ${pick.mode} mode.`,
    );
    quote.hidden = !pick.caption || pick.mode === "image";
    CMC.fill(quote, CMC.name(pick.caption));
    const rank = { typical: "the median of its images", best: "the best of its images", worst: "the worst of its images" }[
      pick.kind
    ];
    CMC.fill(details, `${metric.label} ${CMC.score(pick.score)}, ${rank} · `, CMC.name(pick.name));
    wipe = CMC.wipe(pick.size);
    wipe.show(
      { label: "Original", thumb: pick.truth[0], full: pick.truth[1], alt: `Original: ${pick.name}` },
      {
        label: `${target.name} · ${pick.mode}`,
        thumb: pick.picture[0],
        full: pick.picture[1],
        alt: `Reconstruction of ${pick.name} by ${target.name}, ${pick.mode} mode`,
      },
    );
    if (pick.size) stage.style.setProperty("--ratio", String(pick.size[0] / pick.size[1]));
    CMC.fill(stage, wipe.frame);
  }

  const chooser =
    picks.length > 1
      ? CMC.choice(
          "Which picture",
          picks.map((each) => [each.kind, KINDS[each.kind]]),
          field.get(),
          field.set,
        )
      : null;
  CMC.state.follow(["first"], show, () => {
    for (const each of chooser?.children ?? []) each.setAttribute("aria-pressed", String(each.dataset.key === field.get()));
  });
  show();
  CMC.fill(
    "start",
    words,
    el("div", { class: "show" }, stage, el("div", { class: "under" }, chooser, el("a", { href: "#images" }, "All images"))),
  );
});
