// What all parts of the page share: building elements from text, controls, loading data.
"use strict";
const CMC = (() => {
  const received = {},
    waiting = {};
  const allowed = /^data\/(board|images|target-\d+)\.js$/;
  const policy = window.trustedTypes
    ? trustedTypes.createPolicy("cmcbench", {
        createScriptURL: (url) => {
          if (!allowed.test(url)) throw new TypeError(url);
          return url;
        },
      })
    : { createScriptURL: (url) => url };

  function receive(name, value) {
    received[name] = value;
  }

  // A page from disk may not fetch files, but it may load scripts that hand over their data.
  function load(name) {
    waiting[name] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = policy.createScriptURL(`data/${name}.js`);
      script.onload = () => (name in received ? resolve(received[name]) : reject(new Error(`data/${name}.js is damaged`)));
      script.onerror = () => reject(new Error(`data/${name}.js is missing from the report's folder`));
      document.head.append(script);
    });
    return waiting[name];
  }

  // Children are elements or text, never markup: names and captions come from strangers.
  function el(tag, options = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(options)) {
      if (value === null || value === undefined || value === false) continue;
      if (key === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
      else if (key === "style") for (const [name, each] of Object.entries(value)) node.style.setProperty(name, each);
      else if (key === "value" || key === "checked" || key === "selected") node[key] = value;
      else node.setAttribute(key, value === true ? "" : value);
    }
    for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== false) node.append(child);
    return node;
  }

  function fill(id, ...children) {
    const node = typeof id === "string" ? document.getElementById(id) : id;
    node.replaceChildren(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  // A path in the report's folder as an address. Names hold what they like; a broken one is no address.
  function address(path) {
    try {
      return path
        .split("/")
        .map((part) => (part === ".." ? part : encodeURIComponent(part)))
        .join("/");
    } catch (error) {
      return "";
    }
  }

  // Names and captions may run from right to left; each keeps to itself.
  const name = (text) => el("bdi", {}, text);

  function select(label, options, value, change) {
    const list = el(
      "select",
      { on: { change: (event) => change(event.target.value) } },
      options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)),
    );
    return el("label", { class: "field" }, el("span", {}, label), list);
  }

  // A choice among metrics, nothing where there is no choice.
  function metricSelect(metrics, value, change) {
    const options = metrics.map((metric) => [metric.name, metric.label]);
    return metrics.length > 1 ? select("Metric", options, value, change) : null;
  }

  function choice(label, options, value, change) {
    const buttons = options.map(([key, text]) =>
      el(
        "button",
        {
          type: "button",
          "aria-pressed": String(key === value),
          "data-key": key,
          on: {
            click: (event) => {
              for (const each of buttons) each.setAttribute("aria-pressed", String(each === event.currentTarget));
              change(key);
            },
          },
        },
        text,
      ),
    );
    return el("div", { class: "choice", role: "group", "aria-label": label }, buttons);
  }

  function toggle(label, on, change, colour) {
    return el(
      "button",
      {
        type: "button",
        class: "chip",
        "aria-pressed": String(on),
        style: colour ? { "--dot": colour } : {},
        on: {
          click: (event) => {
            const next = event.currentTarget.getAttribute("aria-pressed") !== "true";
            event.currentTarget.setAttribute("aria-pressed", String(next));
            change(next);
          },
        },
      },
      colour ? el("i", { class: "dot", "aria-hidden": "true" }) : null,
      label,
    );
  }

  function search(label, value, change) {
    return el(
      "label",
      { class: "field grow" },
      el("span", {}, label),
      el("input", {
        type: "search",
        value,
        spellcheck: "false",
        autocomplete: "off",
        on: { input: (event) => change(event.target.value.trim().toLowerCase()) },
      }),
    );
  }

  // A plain table of figures. columns: text; rows: {cells: [node, text, or {text, class}], class}, the first cell a heading.
  function plainTable(columns, rows) {
    const cell = (content, place) => {
      const { text, ...options } = content?.text === undefined ? { text: content } : content;
      return place ? el("td", options, text) : el("th", { scope: "row", ...options }, text);
    };
    return el(
      "table",
      { class: "plain" },
      el(
        "thead",
        {},
        el(
          "tr",
          {},
          columns.map((column) => el("th", { scope: "col" }, column)),
        ),
      ),
      el(
        "tbody",
        {},
        rows.map((row) => el("tr", { class: row.class ?? null }, row.cells.map(cell))),
      ),
    );
  }

  // The sign of a target, in its colour.
  const dot = (place) => el("i", { class: "dot", "aria-hidden": "true", style: { "--dot": CMC.colour(place) } });

  const empty = (title, ...text) => el("div", { class: "empty" }, el("strong", {}, title), el("p", {}, text));

  const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches;
  const TOPIQ = ["topiq_fr", "topiq_nr"]; // what Overall is made of: consistency, perception
  const MODES = ["full", "image", "pixel", "text", "images"];
  const title = (mode) => mode.charAt(0).toUpperCase() + mode.slice(1);

  return {
    receive,
    load,
    el,
    fill,
    address,
    name,
    dot,
    select,
    metricSelect,
    choice,
    toggle,
    search,
    plainTable,
    empty,
    still,
    TOPIQ,
    MODES,
    title,
    parts: [],
    board: null,
  };
})();
