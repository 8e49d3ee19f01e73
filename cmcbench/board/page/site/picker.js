// The picker of targets, at the top of the page: search, only, none, the first N. Every part of the page follows it.
"use strict";
CMC.parts.push(() => {
  const { el, board, picks } = CMC;
  const TOPS = [5, 10, 20].filter((n) => n < picks.every.length);
  const button = document.getElementById("pick"),
    panel = document.getElementById("picker");
  if (picks.every.length < 2) return;
  let text = "";

  const fits = (place) => {
    const { name, family, encoder } = board.targets[place];
    return !text || [name, family, encoder].join(" ").toLowerCase().includes(text);
  };

  function tell() {
    const listed = picks.listed().length,
      all = picks.every.length;
    button.hidden = false;
    button.textContent = picks.auto() || listed === all ? `Targets: ${all}` : `Targets: ${listed} of ${all}`;
  }

  const action = (label, wanted, title) =>
    el("button", { type: "button", class: "quiet", title, on: { click: () => set(wanted) } }, label);

  function set(wanted) {
    wanted === null ? picks.clear() : picks.choose(wanted);
    list();
  }

  const box = el("div", { class: "picks", role: "group", "aria-label": "Targets" });
  const count = el("p", { class: "hint", role: "status" });
  const find = CMC.search("Search targets, decoders and encoders", "", (typed) => {
    text = typed;
    list();
  });
  CMC.fill(
    panel,
    el("div", { class: "bar" }, find),
    el(
      "div",
      { class: "bar" },
      action("All", picks.every),
      action("None", []),
      TOPS.map((n) => action(`Top ${n}`, picks.every.slice(0, n), "The first ones of the leaderboard")),
      el("button", { type: "button", class: "quiet", on: { click: () => set(picks.every.filter(fits)) } }, "Only these"),
      action("Reset", null, "As the page opens"),
    ),
    count,
    box,
  );

  function list() {
    const shown = new Set(picks.charted()),
      found = picks.every.filter(fits);
    const active = document.activeElement?.dataset?.pick;
    count.textContent = picks.auto()
      ? picks.rest(shown.size).replace("; choose others with the button Targets", " in charts, all of them in tables") ||
        "All are shown."
      : `${CMC.count(shown.size, "target")} shown.`;
    CMC.fill(box, found.length ? found.map((place) => row(place, shown)) : el("p", { class: "hint" }, "No target fits."));
    if (active) box.querySelector(`[data-pick="${active}"]`)?.focus();
  }

  function row(place, shown) {
    const { name, family } = board.targets[place];
    const change = (on) => set(on ? [...shown, place] : [...shown].filter((each) => each !== place));
    return el(
      "div",
      { class: "pick" },
      el(
        "label",
        {},
        el("input", {
          type: "checkbox",
          "data-pick": `box-${place}`,
          checked: shown.has(place),
          on: { change: (event) => change(event.target.checked) },
        }),
        CMC.dot(place),
        CMC.name(name),
        family === name ? null : el("small", {}, CMC.name(family)),
      ),
      el(
        "button",
        {
          type: "button",
          class: "only",
          "data-pick": `only-${place}`,
          "aria-label": `Only ${name}`,
          on: { click: () => set([place]) },
        },
        "only",
      ),
    );
  }

  function open(on) {
    panel.hidden = !on;
    button.setAttribute("aria-expanded", String(on));
    if (on) {
      list();
      find.querySelector("input").focus();
    }
  }

  button.addEventListener("click", () => open(panel.hidden));
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    open(false);
    button.focus();
  });
  document.addEventListener("pointerdown", (event) => {
    if (!panel.hidden && !panel.contains(event.target) && event.target !== button) open(false);
  });
  picks.follow(() => {
    tell();
    if (!panel.hidden) list();
  });
  tell();
});
