// Two pictures of one size on top of each other, and a line to wipe between them: a range input, so that keys and fingers work.
"use strict";
CMC.wipe = (() => {
  const { el } = CMC;

  // one, other: {label, thumb, full, alt}; size: [width, height] or null
  function wipe(size) {
    const before = picture("before"),
      after = picture("after");
    const range = el("input", {
      type: "range",
      min: "0",
      max: "100",
      step: "1",
      value: "50",
      "aria-label": "Wipe between the two pictures",
    });
    const tags = [el("span", { class: "tag left" }), el("span", { class: "tag right" })];
    const frame = el(
      "div",
      { class: "wipe" },
      before,
      after,
      el("span", { class: "line", "aria-hidden": "true" }),
      ...tags,
      range,
    );
    if (size) frame.style.setProperty("aspect-ratio", `${size[0]} / ${size[1]}`);
    let labels = ["", ""];

    function cut() {
      frame.style.setProperty("--cut", `${range.value}%`);
      range.setAttribute("aria-valuetext", `${range.value} % ${labels[0]}, ${100 - range.value} % ${labels[1]}`);
    }

    function show(one, other) {
      labels = [one.label, other.label];
      put(before, one);
      put(after, other);
      tags[0].replaceChildren(CMC.name(one.label));
      tags[1].replaceChildren(CMC.name(other.label));
      cut();
    }

    range.addEventListener("input", cut);
    return { frame, range, show };
  }

  function picture(kind) {
    return el("img", { class: kind, alt: "", decoding: "async", draggable: "false" });
  }

  // The small picture at once, the full one when it is there; where only the folder travelled, the small one stays.
  function put(image, each) {
    image.alt = each.alt;
    image.dataset.full = each.full || each.thumb;
    image.src = CMC.address(each.thumb || each.full);
    image.classList.toggle("small", Boolean(each.thumb && !each.full));
    if (!each.thumb || !each.full) return;
    const full = new Image();
    full.onload = () => {
      if (image.dataset.full === each.full) image.src = full.src;
    };
    full.onerror = () => {
      if (image.dataset.full === each.full) image.classList.add("small");
    };
    full.src = CMC.address(each.full);
  }

  return wipe;
})();
