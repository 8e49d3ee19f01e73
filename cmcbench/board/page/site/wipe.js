// Two pictures of one size on top of each other, and a line to wipe between them: a range input, so that keys and fingers work.
"use strict";
CMC.picture = (() => {
  const { el } = CMC;
  const image = (kind) => el("img", { class: kind, alt: "", decoding: "async", draggable: "false" });

  // The small picture at once, the full one when it is there; where only the folder travelled, the small one stays.
  // each: {label, thumb, full, alt}
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

  // A frame of the size [width, height] of the picture, null where it is not known.
  function frame(kind, size, ...children) {
    const node = el("div", { class: kind }, children);
    if (size) node.style.setProperty("aspect-ratio", `${size[0]} / ${size[1]}`);
    return node;
  }

  return { image, put, frame };
})();

// cut: where the line stands at first, in percent; moved(cut) after it was moved.
CMC.wipe = (size, cut = "50", moved = () => {}) => {
  const { el, picture } = CMC;
  const before = picture.image("before"),
    after = picture.image("after");
  const range = el("input", {
    type: "range",
    min: "0",
    max: "100",
    step: "1",
    value: cut,
    "aria-label": "Wipe between the two pictures",
  });
  const tags = [el("span", { class: "tag left" }), el("span", { class: "tag right" })];
  const line = el("span", { class: "line", "aria-hidden": "true" });
  const frame = picture.frame("wipe", size, before, after, line, ...tags, range);
  let labels = ["", ""];

  function place() {
    frame.style.setProperty("--cut", `${range.value}%`);
    range.setAttribute("aria-valuetext", `${range.value} % ${labels[0]}, ${100 - range.value} % ${labels[1]}`);
  }

  function show(one, other) {
    labels = [one.label, other.label];
    picture.put(before, one);
    picture.put(after, other);
    tags[0].replaceChildren(CMC.name(one.label));
    tags[1].replaceChildren(CMC.name(other.label));
    place();
  }

  range.addEventListener("input", () => {
    place();
    moved(range.value);
  });
  return { frame, range, show };
};
