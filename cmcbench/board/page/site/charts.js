// Chart.js in the page's colours, redrawn when the scheme changes; every chart is also there as a table.
"use strict";
CMC.chart = (() => {
  const { el, css } = CMC;
  const waiting = new Set(),
    begun = new Set(); // parts that have come near the window
  const drawn = new Map(); // id -> {make, chart}

  function dress() {
    const { defaults } = Chart;
    defaults.font.family = css("--font");
    defaults.font.size = 12;
    defaults.color = css("--muted");
    defaults.borderColor = css("--line");
    defaults.animation = CMC.still() || CMC.paper.on ? false : { duration: 250 };
    defaults.maintainAspectRatio = false;
    defaults.plugins.legend.display = false;
    Object.assign(defaults.plugins.tooltip, {
      backgroundColor: css("--ink"),
      titleColor: css("--surface"),
      bodyColor: css("--surface"),
      padding: 10,
      cornerRadius: 6,
      boxPadding: 4,
      usePointStyle: true,
      titleFont: { weight: "600" },
    });
  }

  // make() -> a Chart.js configuration; table: {columns: [text], rows: [[text]]}, what the canvas shows for those who cannot see it
  function draw(id, label, height, make, table) {
    drawn.get(id)?.chart.destroy();
    dress();
    const canvas = el("canvas", { role: "img", "aria-label": label });
    const box = el("div", { class: "chart", style: { "--height": `${height}px` } }, canvas);
    CMC.fill(
      id,
      box,
      table ? el("details", { class: "as-table" }, el("summary", {}, "As a table"), plain(table, label)) : null,
    );
    drawn.set(id, { make, chart: new Chart(canvas, make()) });
  }

  function plain({ columns, rows }, label) {
    const named = rows.map(([name, ...cells]) => ({ cells: [CMC.name(name), ...cells] }));
    return el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": `Figures: ${label}` },
      CMC.plainTable(columns, named),
    );
  }

  function drop(id) {
    drawn.get(id)?.chart.destroy();
    drawn.delete(id);
  }

  function redress() {
    dress();
    for (const [id, each] of drawn) {
      const canvas = each.chart.canvas;
      each.chart.destroy();
      drawn.set(id, { make: each.make, chart: new Chart(canvas, each.make()) });
    }
  }

  // Drawn when it comes near the window: a page of many charts opens at once.
  function later(id, start) {
    const begin = () => {
      watch.disconnect();
      if (waiting.delete(begin)) {
        begun.add(id);
        start();
      }
    };
    const watch = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && begin(), {
      rootMargin: "400px",
    });
    waiting.add(begin);
    watch.observe(document.getElementById(id));
  }

  // Draw a part again when one of these keys of the state changes, where it has been drawn.
  function follow(id, keys, draw, bar) {
    CMC.state.follow(keys, () => begun.has(id) && draw(), bar);
  }

  // On paper a chart has another width, and at most the height of a sheet; without `width` the window's again.
  function resize(width, most) {
    for (const { chart } of drawn.values()) {
      const box = chart.canvas.parentNode, // which a chart never leaves
        tall = box.clientHeight;
      box.style.setProperty("width", width ? `${width}px` : null);
      if (width)
        chart.resize(width, tall > 2.2 * most ? tall : Math.min(tall, most)); // a far higher one is made smaller
      else chart.resize();
    }
  }

  // Before the page jumps: what is drawn on the way would move where it is going.
  function now() {
    for (const begin of [...waiting]) begin();
  }

  const NARROW = 480; // pixels of a part on a phone

  // Legends and axes hold so much. The mode at the end stays to be read, and the end of the name, which has the setting.
  function shorten(text, most = 34) {
    if (text.length <= most) return text;
    const mode = /( · | )[a-z]+$/.exec(text)?.[0] ?? "";
    const end = text.slice(0, text.length - mode.length).slice(-Math.round(most / 5)) + mode;
    return `${text.slice(0, Math.max(1, most - 1 - end.length))}…${end}`;
  }

  return { draw, drop, redress, later, now, follow, resize, shorten, NARROW };
})();
