// Before the page is drawn, so that it never flashes in the other scheme: the reader's choice, else the system's.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem("cmcbench-theme");
  } catch (error) {
    /* a browser that keeps nothing for pages from disk */
  }
  document.documentElement.dataset.theme =
    chosen === "light" || chosen === "dark" ? chosen : dark.matches ? "dark" : "light";
})();
