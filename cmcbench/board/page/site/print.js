// On paper: everything is drawn, in the light scheme, as wide as the paper. Also what `report --pdf` opens: the address "#print".
"use strict";
CMC.paper = (() => {
  const root = document.documentElement;
  const WIDE = 1040, // pixels of A4 across, less its margins
    TALL = 600; // and of what a heading leaves
  let scheme = null;

  const paper = { on: false, before };

  function before() {
    scheme ??= root.dataset.theme;
    paper.on = true;
    root.dataset.theme = "light";
    CMC.chart.now();
    CMC.chart.redress();
    CMC.chart.resize(WIDE, TALL);
    for (const image of document.images) image.loading = "eager";
  }

  function after() {
    if (scheme === null) return;
    paper.on = false;
    root.dataset.theme = scheme;
    scheme = null;
    CMC.chart.redress();
    CMC.chart.resize();
  }

  addEventListener("beforeprint", () => CMC.board && before());
  addEventListener("afterprint", () => CMC.board && after());

  return paper;
})();
