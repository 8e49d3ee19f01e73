// Before the page is drawn, so that it never flashes in the other scheme.
"use strict";
(() => {
  try {
    const chosen = localStorage.getItem("cmcbench-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (error) { /* a browser that keeps nothing for pages from disk */ }
})();
