// A table that is sorted by its heads; on a narrow screen each row becomes a card.
"use strict";
CMC.table = (() => {
  const { el, fill } = CMC;
  const MOST = 20; // rows on a phone, where each is a card, until somebody asks for all
  const whole = new Set(); // tables of which somebody has

  // columns: {key, label, title, value(row) -> number | string | null, cell(row) -> node or text, numeric, best: "high" | "low",
  // last(row): whether it comes after the others when the table is sorted by this column, in either order}
  // state: {key, down}: what it is sorted by; changed here and kept by the caller.
  function table(caption, columns, rows, state, redraw) {
    const by = columns.find((column) => column.key === state.key) ?? columns[0];
    const sorted = rows
      .map((row, place) => [by.value(row), place, row])
      .sort((one, other) => behind(by, one) - behind(by, other) || compare(one, other, state.down))
      .map(([, , row]) => row);
    const heads = columns.map((column) =>
      head(column, column === by ? state : null, () => {
        state.down = column === by ? !state.down : column.best === "high";
        state.key = column.key;
        redraw(column.key);
      }),
    );
    const cut = sorted.length > MOST && !whole.has(caption) && matchMedia("(max-width: 40rem)").matches;
    const body = (cut ? sorted.slice(0, MOST) : sorted).map((row) =>
      el(
        "tr",
        { class: row.class, role: "row" },
        columns.map((column, place) => cell(column, row, place)),
      ),
    );
    return el(
      "div",
      {},
      el(
        "div",
        { class: "sorter" },
        CMC.select(
          "Sort by",
          columns.map((column) => [column.key, column.plain ?? column.label]),
          by.key,
          (key) => {
            const column = columns.find((each) => each.key === key);
            Object.assign(state, { key, down: column.best === "high" });
            redraw(null);
          },
        ),
        el(
          "button",
          {
            type: "button",
            class: "quiet",
            on: {
              click: () => {
                state.down = !state.down;
                redraw(null);
              },
            },
          },
          state.down ? "Descending" : "Ascending",
        ),
      ),
      el(
        "div",
        { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
        el(
          "table",
          { role: "table" },
          el("caption", { class: "unseen" }, caption),
          el("thead", { role: "rowgroup" }, el("tr", { role: "row" }, heads)),
          el("tbody", { role: "rowgroup" }, body),
        ),
      ),
      cut
        ? el(
            "button",
            {
              type: "button",
              class: "quiet rest",
              on: {
                click: () => {
                  whole.add(caption);
                  redraw(null);
                },
              },
            },
            `All ${CMC.count(sorted.length, "row")}`,
          )
        : null,
    );
  }

  function head(column, state, click) {
    const order = state ? (state.down ? "descending" : "ascending") : "none";
    return el(
      "th",
      {
        scope: "col",
        role: "columnheader",
        "aria-sort": order,
        class: column.numeric ? "number" : null,
        "data-label": column.label, // on paper, where a head with buttons would stand on the first sheet alone
      },
      el(
        "button",
        { type: "button", title: column.title, "data-key": column.key, on: { click } },
        column.label,
        el("i", { class: "arrow", "aria-hidden": "true" }),
      ),
    );
  }

  function cell(column, row, place) {
    const inside = column.cell ? column.cell(row) : column.value(row);
    return el(
      place === 1 ? "th" : "td",
      {
        class: column.numeric ? "number" : null,
        role: place === 1 ? "rowheader" : "cell",
        scope: place === 1 ? "row" : null,
        "data-label": column.plain ?? column.label,
      },
      inside ?? "–",
    );
  }

  const behind = (column, [, , row]) => Number(Boolean(column.last?.(row)));

  // What is missing comes last in either order; equal values keep their order.
  function compare([one, place], [other, next], down) {
    const gone = (value) => value === null || value === undefined;
    if (gone(one) || gone(other)) return gone(one) - gone(other) || place - next;
    const order = typeof one === "string" ? one.localeCompare(other, "en") : one - other;
    return (down ? -order : order) || place - next;
  }

  function draw(id, caption, columns, rows, state, redraw) {
    fill(id, table(caption, columns, rows, state, redraw));
  }

  return { draw, table };
})();
