// The ways to look at two pictures: under a wipe, side by side, one after the other, or their difference.
"use strict";
CMC.looks = (() => {
  const { el, picture } = CMC;
  const LOOKS = [
    ["wipe", "Wipe"],
    ["side", "Side by side"],
    ["flicker", "Flicker"],
    ["difference", "Difference"],
  ];
  const ZOOMS = [
    ["fit", "Fit"],
    ["1", "1:1"],
    ["2", "2:1"],
    ["4", "4:1"],
  ];
  const GAINS = [
    ["1", "× 1"],
    ["4", "× 4"],
    ["16", "× 16"],
  ];

  // A part of the dialog that scrolls where the picture is larger than it.
  function pan(size, zoom, label, inside, tall) {
    const stage = el("div", { class: "stage" }, inside);
    if (size) stage.style.setProperty("--ratio", String(size[0] / size[1]));
    if (tall) stage.style.setProperty("--tall", tall);
    if (zoom !== "fit" && size) stage.style.setProperty("--wide", `${(size[0] * Number(zoom)) / devicePixelRatio}px`);
    const attributes = { class: "pan", "data-zoom": zoom };
    if (zoom !== "fit") Object.assign(attributes, { tabindex: "0", role: "region", "aria-label": `${label}, enlarged` });
    return el("div", attributes, stage);
  }

  // The parts move together; at: [x, y] of the middle, as shares of the picture. moved([x, y]) when somebody has scrolled.
  function together(pans, at, moved) {
    const middle = (node) => [
      (node.scrollLeft + node.clientWidth / 2) / node.scrollWidth,
      (node.scrollTop + node.clientHeight / 2) / node.scrollHeight,
    ];
    const go = (node, [x, y]) => {
      node.scrollLeft = x * node.scrollWidth - node.clientWidth / 2;
      node.scrollTop = y * node.scrollHeight - node.clientHeight / 2;
    };
    for (const node of pans) {
      go(node, at);
      node.addEventListener("scroll", () => {
        for (const other of pans)
          if (other !== node && (other.scrollLeft !== node.scrollLeft || other.scrollTop !== node.scrollTop))
            [other.scrollLeft, other.scrollTop] = [node.scrollLeft, node.scrollTop];
        moved(middle(node));
      });
    }
  }

  const tag = (side, label) => el("span", { class: `tag ${side}` }, CMC.name(label));

  // how: {look, zoom, cut, gain, flipped}. Returns {node, pans, flip}: what to show, what scrolls, and what the key F does.
  function draw(size, left, right, how, cut) {
    if (how.look === "side") {
      const pans = [left, right].map((each, at) => {
        const image = picture.image("single");
        picture.put(image, each);
        return pan(
          size,
          how.zoom,
          `${"AB"[at]}: ${each.label}`,
          picture.frame("wipe", size, image, tag("left", each.label)),
          "58vh",
        );
      });
      return { node: el("div", { class: "two" }, pans), pans };
    }
    const both = `${left.label} and ${right.label}`;
    if (how.look === "wipe") {
      const wipe = CMC.wipe(size, how.cut, cut);
      wipe.show(left, right);
      const one = pan(size, how.zoom, both, wipe.frame);
      return { node: one, pans: [one] };
    }
    const before = picture.image("before"),
      after = picture.image("whole");
    picture.put(before, left);
    picture.put(after, right);
    if (how.look === "difference") {
      const frame = picture.frame("wipe difference", size, before, after);
      frame.style.setProperty("--gain", how.gain);
      const outer = picture.frame("wipe", size, frame, tag("left", `|${left.label} − ${right.label}|`));
      const one = pan(size, how.zoom, both, outer);
      return { node: one, pans: [one] };
    }
    const shown = el("span", { class: "tag left", role: "status" });
    const frame = picture.frame("wipe flicker", size, before, after, shown);
    const tell = () => {
      after.hidden = !how.flipped;
      shown.replaceChildren(how.flipped ? "B: " : "A: ", CMC.name(how.flipped ? right.label : left.label));
    };
    tell();
    const flip = () => {
      how.flipped = !how.flipped;
      tell();
    };
    frame.addEventListener("click", flip);
    const one = pan(size, how.zoom, both, frame);
    return { node: one, pans: [one], flip };
  }

  return { LOOKS, ZOOMS, GAINS, draw, together };
})();
