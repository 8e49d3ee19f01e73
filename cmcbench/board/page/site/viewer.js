// One image in full: any two of its pictures, with what each was sent as, and all scores. What is shown stands in the address.
"use strict";
CMC.parts.push(() => {
  const { el, board, looks, picks } = CMC;
  const dialog = document.getElementById("viewer");
  const named = (text) => text.length < 400;
  const keys = (options) => options.map(([key]) => key);
  const fields = {
    open: CMC.state.field("open", "", { valid: named }),
    left: CMC.state.field("left", "", { valid: named }),
    right: CMC.state.field("right", "", { valid: named }),
    look: CMC.state.one("look", keys(looks.LOOKS)),
    zoom: CMC.state.one("zoom", keys(looks.ZOOMS)),
    gain: CMC.state.one("gain", keys(looks.GAINS), "4"),
    cut: CMC.state.field("cut", "50", { valid: (text) => /^(100|\d{1,2})$/.test(text) }),
    at: CMC.state.field("at", "0.5,0.5", { valid: (text) => /^[01](\.\d{1,4})?,[01](\.\d{1,4})?$/.test(text) }),
  };
  const quiet = { quiet: true };
  let data = null,
    indices = [],
    opener = null,
    flip = null,
    pushed = false, // whether Back leads to the page without the dialog
    last = -1, // the image shown
    liked = {}; // how somebody looked at the last picture, for the next one

  // in: the order in which Previous and Next go. key: of the picture on the right; where it is the original or none, the first
  // reconstruction is. by(index): what gets the focus when the dialog closes.
  function open(from, order, index, key, by) {
    [data, indices, opener, pushed] = [from, order, by, true];
    CMC.state.settle();
    for (const each of ["left", "right", "cut", "at"]) fields[each].set(first[each], quiet);
    for (const [each, value] of Object.entries(liked)) fields[each].set(value, quiet);
    if (key !== "truth") fields.right.set(toName(key), quiet);
    fields.open.set(data.images.names[index], { push: true });
  }

  const first = { left: "", right: "", cut: "50", at: "0.5,0.5" };

  // The dialog that an address asks for, once the images are loaded.
  function restore(from, order) {
    data = from;
    indices = order();
    if (fields.open.get()) draw();
  }

  // Keys hold the places of targets; an address names them, since places may change.
  function toName(key) {
    const found = /^(\d+)-(.*)$/.exec(key);
    return found ? `${board.targets[Number(found[1])].name}/${found[2]}` : key;
  }

  function draw() {
    const index = data ? data.images.names.indexOf(fields.open.get()) : -1;
    if (index < 0) {
      if (dialog.open) dialog.close();
      return;
    }
    if (!indices.includes(index)) indices = [index, ...indices];
    last = index;
    liked = Object.fromEntries(["look", "zoom", "gain"].map((key) => [key, fields[key].get()]));
    show(index);
    if (!dialog.open) {
      dialog.showModal();
      document.documentElement.classList.add("still");
      (dialog.querySelector("input[type=range]") ?? dialog.querySelector(".close"))?.focus();
    }
    const [x, y] = fields.at.get().split(",").map(Number);
    looks.together([...dialog.querySelectorAll(".pan")], [x, y], (at) =>
      fields.at.set(at.map((share) => Number(Math.min(1, Math.max(0, share)).toFixed(3))).join(","), quiet),
    );
  }

  function show(index) {
    const item = chosen(CMC.album.item(data, index)),
      at = indices.indexOf(index);
    const all = [...item.originals, ...item.references, ...item.made].filter((each) => each.thumb || each.full);
    const find = (name) => all.find((each) => toName(each.key) === name);
    const left = find(fields.left.get()) ?? all[0],
      right = find(fields.right.get()) ?? all.find((each) => each.target !== undefined) ?? all[all.length - 1];
    const how = Object.fromEntries(["look", "zoom", "cut", "gain"].map((key) => [key, fields[key].get()]));
    if (!item.size) how.zoom = "fit";
    const stage = all.length
      ? looks.draw(item.size, left, right, { ...how, flipped: false }, (cut) => fields.cut.set(cut, quiet))
      : null;
    flip = stage?.flip ?? null;
    CMC.fill(
      dialog,
      el(
        "div",
        { class: "title" },
        el("h2", { id: "viewer-title" }, CMC.name(item.name)),
        el("span", { class: "dim" }, `${at + 1} of ${indices.length}`),
        el(
          "span",
          { class: "steps" },
          step("Previous", -1, at),
          step("Next", 1, at),
          el("button", { type: "button", class: "close", "aria-label": "Close", on: { click: () => dialog.close() } }, "✕"),
        ),
      ),
      stage ? [controls(all, left, right, item.size), stage.node] : CMC.empty("No picture of this image is in the report."),
      stage ? CMC.sides(item, left, right) : null,
      CMC.scores(item, right?.key, (key) => fields.right.set(toName(key))),
    );
  }

  // Of the targets chosen, and those that the address names.
  function chosen(item) {
    const shown = new Set(picks.charted()),
      named = [fields.left.get(), fields.right.get()];
    const made = item.made.filter((each) => shown.has(each.target) || named.includes(toName(each.key))),
      kept = new Set([...shown, ...made.map((each) => each.target)]);
    const captions = item.captions
      .map(([text, places]) => [text, places.filter((place) => kept.has(place))])
      .filter(([, places]) => places.length);
    return { ...item, made, captions };
  }

  function controls(all, left, right, size) {
    const options = all.map((each) => [toName(each.key), each.label]);
    const look = fields.look.get();
    return el(
      "div",
      { class: "bar" },
      CMC.select("Left", options, toName(left.key), change(fields.left)),
      CMC.select("Right", options, toName(right.key), change(fields.right)),
      CMC.choice("Way of looking", looks.LOOKS, look, change(fields.look)),
      size ? CMC.choice("Size", looks.ZOOMS, fields.zoom.get(), change(fields.zoom)) : null,
      look === "difference"
        ? CMC.choice("Brightness of the difference", looks.GAINS, fields.gain.get(), change(fields.gain))
        : null,
      el(
        "p",
        { class: "hint" },
        {
          wipe: "Arrows move the line; F flips between the two.",
          side: "Both move together; F flips between the two.",
          flicker: "F, or a click on the picture, flips between the two.",
          difference: "Black where the two are equal.",
        }[look],
      ),
    );
  }

  // What had the focus has it afterwards.
  const change = (field) => (value) => {
    const place = focusable().indexOf(document.activeElement);
    field.set(value);
    focusable()[place]?.focus();
  };
  const focusable = () => [...dialog.querySelectorAll("select, button, input")];

  function step(label, by, at) {
    return el(
      "button",
      { type: "button", "data-step": by, disabled: indices[at + by] === undefined, on: { click: () => go(by) } },
      label,
    );
  }

  function go(by) {
    const next = indices[indices.indexOf(data.images.names.indexOf(fields.open.get())) + by];
    if (next !== undefined) change(fields.open)(data.images.names[next]);
  }

  function flipped() {
    if (!flip) change(fields.look)("flicker");
    flip?.();
  }

  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key.toLowerCase() === "f" && !event.target.matches("select")) {
      event.preventDefault();
      return flipped();
    }
    const moves =
      event.target.matches("input[type=range], select") ||
      (event.target.closest(".pan, .scroll") && event.target.tabIndex === 0 && !event.target.matches("button"));
    const by = { PageUp: -1, PageDown: 1, ArrowLeft: moves ? 0 : -1, ArrowRight: moves ? 0 : 1 }[event.key];
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
    if (fields.open.get()) {
      if (pushed) history.back();
      else for (const [key, value] of [...Object.entries(first), ["open", ""]]) fields[key].set(value, quiet);
    }
    pushed = false;
    opener?.(last)?.focus();
  });
  const watched = Object.keys(fields).filter((key) => key !== "at" && key !== "cut");
  CMC.state.follow([...watched, "t"], draw);
  CMC.view = { open, restore };
});
