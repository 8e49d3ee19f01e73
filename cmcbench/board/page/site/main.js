// Loads the small data, draws the parts, and keeps what belongs to none of them: scheme, the current section.
"use strict";
(() => {
  const root = document.documentElement,
    button = document.getElementById("theme");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function tell() {
    const next = root.dataset.theme === "dark" ? "light" : "dark";
    button.textContent = CMC.title(next);
    button.setAttribute("aria-label", `Switch to the ${next} scheme`);
    if (CMC.board) CMC.chart.redress();
  }

  button.addEventListener("click", () => {
    root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("cmcbench-theme", root.dataset.theme);
    } catch (error) {
      /* kept for this visit only */
    }
    tell();
  });
  dark.addEventListener("change", () => {
    root.dataset.theme = dark.matches ? "dark" : "light";
    tell();
  });
  tell();

  // The section that is read now, in the navigation.
  function follow() {
    const links = [...document.querySelectorAll("header.top nav a")];
    const seen = new Set();
    const watch = new IntersectionObserver(
      (entries) => {
        for (const entry of entries) entry.isIntersecting ? seen.add(entry.target.id) : seen.delete(entry.target.id);
        const current = links.find((link) => seen.has(link.hash.slice(1)));
        if (begun) CMC.state.at(current ? current.hash.slice(1) : "");
        const nav = links[0].parentNode; // on a phone it is wider than the window
        if (current) nav.scrollLeft = current.offsetLeft - nav.offsetLeft - nav.clientWidth / 3;
        for (const link of links)
          link === current ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
      },
      { rootMargin: "-30% 0px -65% 0px" },
    );
    let begun = false; // the address keeps its section until somebody scrolls
    addEventListener("scroll", () => (begun = true), { once: true, passive: true });
    for (const link of links) watch.observe(document.querySelector(link.hash));
  }

  const KEYS =
    "Keys: arrows move the wipe line and walk through pictures; in an open image F flips between the two, Page Up and Page Down " +
    "change it, Escape or Back closes it. The address holds what is shown: copy it to share the view. ";

  function about() {
    const { el, board } = CMC;
    const pictures = {
      copies: "All pictures travel with this folder.",
      links: "Full pictures are read from where they lie beside this folder; alone, it shows thumbnails.",
      thumbs: "This report holds thumbnails only.",
      none: "This report holds no pictures.",
    }[board.pictures];
    CMC.fill(
      "about",
      el("p", {}, `CMC-Bench ${board.version}. ${pictures} Nothing is loaded from a network.`),
      el(
        "p",
        { class: "dim" },
        el("span", { class: "by-hand" }, KEYS),
        "Charts by ",
        el("a", { href: "page/vendor/chart.LICENSE.md" }, "Chart.js"),
        ", type by ",
        el("a", { href: "page/vendor/inter.LICENSE.txt" }, "Inter"),
        ".",
      ),
    );
  }

  CMC.load("board").then(
    (board) => {
      CMC.board = board;
      for (const part of CMC.parts) {
        try {
          part();
        } catch (error) {
          console.error(error);
        }
      }
      about();
      follow();
      for (const link of document.querySelectorAll('a[href^="#"]'))
        link.addEventListener("click", (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window
          event.preventDefault();
          CMC.chart.now();
          CMC.state.go(link.hash.slice(1));
        });
      if (location.hash.length > 1) CMC.chart.now();
      document.getElementById(CMC.state.section())?.scrollIntoView();
      if (CMC.state.section() === "print") CMC.paper.before();
      root.dataset.ready = "yes";
    },
    (error) =>
      CMC.fill(
        "start",
        CMC.empty(
          "The report could not be loaded.",
          `${error.message}. Keep the folder whole, or make it anew with: python -m cmcbench report`,
        ),
      ),
  );
})();
