// The leaderboard: own targets with intervals, the published rows beside them where they can be compared.
"use strict";
CMC.parts.push(() => {
  const { el, board, score } = CMC;
  const TOPIQ = ["topiq_fr", "topiq_nr"];
  const own = board.lines.filter((line) => line.status !== "published"), published = board.lines.filter((line) => line.status === "published");
  const topiq = TOPIQ.every((name) => board.metrics.some((metric) => metric.name === name));
  const state = { view: "overall", content: "", text: "", mode: "", hidden: new Set(), sort: {} };
  const VIEWS = [["overall", "Overall"], ["modes", "By mode"], ["t2i", "Decoders, as published"], ["i2t", "Encoders, as published"]];
  const SORTS = { overall: { key: topiq ? "overall" : board.metrics[0]?.name, down: topiq || !board.metrics[0]?.lower }, modes: { key: "bpp", down: true }, t2i: { key: "overall", down: true }, i2t: { key: "overall", down: true } };

  const marks = [
    ["published", "published", "Published by the benchmark's authors, on its 1,000 images", (line) => line.status === "published"],
    ["baseline", "baseline", "No generative model: the floor that every system must beat", (line) => Boolean(line.baseline)],
    ["partial", "partial", "Some images have no score: not ranked", (line) => line.status === "partial"],
    ["single", "single mode", "A submission needs two modes: Overall is not ranked", (line) => line.status === "single mode"],
    ["nominal", "nominal rate", "The bits are the protocol's, not counted on a bitstream", (line) => Boolean(line.nominal)],
  ];
  const loose = board.metrics.filter((metric) => /(bf16|fp16)/.test(metric.name));

  function rows() {
    const table = state.view === "i2t" ? "i2t" : "t2i";
    const wanted = { overall: "overall", t2i: "overall", i2t: "overall-i2t" }[state.view];
    const beside = state.content || (state.view === "overall" || state.view === "modes") && !topiq ? [] : published.filter((line) => line.table === table);
    return [...own, ...beside].filter((line) => (line.content ?? "") === state.content)
      .filter((line) => (wanted ? line.mode === wanted : !line.mode.startsWith("overall")))
      .filter((line) => wanted || !state.mode || line.mode === state.mode)
      .filter((line) => line.status === "published" || !wanted || state.view === "overall" || line.overall !== undefined)
      .filter((line) => !marks.some(([key, , , has]) => state.hidden.has(key) && has(line)))
      .filter((line) => !state.text || `${line.name} ${line.encoder ?? ""} ${line.decoder ?? ""}`.toLowerCase().includes(state.text))
      .map((line) => ({ ...line, class: line.status === "published" ? "published" : "own" }));
  }

  function badges(line) {
    return marks.filter(([, , , has]) => has(line)).map(([key, label, title]) => el("span", { class: `badge ${key}`, title }, key === "baseline" ? `baseline ${line.baseline}` : label));
  }

  const nameColumn = {
    key: "name", label: "Target", value: (line) => line.name.toLowerCase(),
    cell: (line) => el("div", { class: "target" }, el("i", { class: "dot", "aria-hidden": "true", style: { "--dot": CMC.colour(line.target) } }), el("span", {}, CMC.name(line.name)), badges(line)),
  };
  const placeColumn = (key) => ({
    key: "place", label: "#", plain: "Place", title: "Place among whole results that can be compared, and its 95 % interval", numeric: true, value: (line) => line.ranks?.[key] ?? null,
    cell: (line) => {
      const place = line.ranks?.[key], range = line.places?.[key];
      if (!place) return line.status === "published" ? "" : el("span", { class: "dim" }, "–");
      return el("span", { class: "place" }, String(place), range && range[0] !== range[1] ? el("small", { title: `95 % interval of the place: ${range[0]} to ${range[1]}` }, `${range[0]}–${range[1]}`) : null);
    },
  });
  const count = { key: "n", label: "n", plain: "Images", title: "Images with every score, of those in the ground truth", numeric: true, value: (line) => line.n, cell: (line) => (line.n === line.of ? CMC.whole(line.n) : `${CMC.whole(line.n)}/${CMC.whole(line.of)}`) };
  const modeColumn = { key: "mode", label: "Mode", value: (line) => CMC.MODES.indexOf(line.mode), cell: (line) => el("span", { class: "mode" }, line.mode) };
  const modesColumn = { key: "modes", label: "Modes", value: (line) => line.modes.length, best: "high", cell: (line) => el("span", { class: "dim" }, line.modes.join(" · ")) };
  const rate = { key: "bpp", label: "bpp", title: "Bits per pixel of the ground truth", numeric: true, value: (line) => line.bpp ?? null, cell: (line) => (line.bpp === undefined ? null : el("span", { title: line.ratio ? `${CMC.whole(line.ratio)} times smaller than 24 bits per pixel` : null }, CMC.bpp(line.bpp), line.nominal ? el("small", { title: "nominal: the protocol's rate" }, " ≈") : null)) };

  // A figure with its interval drawn to the column's scale. get(line) -> [value, low, high, rank]
  function figure(key, label, lower, get, lines, title) {
    const ends = lines.flatMap((line) => get(line).slice(0, 3)).filter((value) => value !== undefined && value !== null);
    const low = Math.min(...ends), high = Math.max(...ends), at = (value) => `${high > low ? (100 * (value - low)) / (high - low) : 50}%`;
    return {
      key, numeric: true, best: lower ? "low" : "high", label: `${label} ${lower ? "↓" : "↑"}`, plain: label, title: title ?? (lower ? "lower is better" : "higher is better"), value: (line) => get(line)[0] ?? null,
      cell: (line) => {
        const [value, from, to] = get(line);
        if (value === undefined || value === null) return null;
        const whisker = from === undefined ? null : el("i", { class: "whisker", style: { left: at(from), width: `${high > low ? (100 * (to - from)) / (high - low) : 0}%` } });
        const text = from === undefined ? score(value) : `${score(value)}, 95 % interval ${score(from)} to ${score(to)}`;
        return el("span", { class: "figure", title: text }, el("span", {}, score(value)), el("span", { class: "track", "aria-hidden": "true", style: { "--dot": CMC.colour(line.target) } }, whisker, el("i", { class: "mean", style: { left: at(value) } })));
      },
    };
  }

  const of = (key) => (line) => [key === "overall" ? line.overall : line.cells?.[key], line.low?.[key], line.high?.[key]];

  function columns(lines) {
    const first = topiq && state.view !== "modes" ? "overall" : board.metrics[0]?.name;
    if (state.view === "t2i" || state.view === "i2t") return [placeAmong(lines), nameColumn, ...dimensions(lines), figure("overall", "Overall", false, of("overall"), lines)];
    const shown = board.metrics.filter((metric) => lines.some((line) => line.cells?.[metric.name] !== undefined));
    const figures = shown.map((metric) => figure(metric.name, metric.label, metric.lower, of(metric.name), lines, `${metric.kind === "FR" ? "consistency" : "perception"}, ${metric.lower ? "lower" : "higher"} is better`));
    if (state.view === "modes") return [placeColumn(first), nameColumn, modeColumn, count, rate, ...figures];
    const total = lines.some((line) => line.overall !== undefined) ? [figure("overall", "Overall", false, of("overall"), lines, "2/3 of the mean FR plus 1/3 of the mean NR over the modes")] : [];
    return [placeColumn(first), nameColumn, modesColumn, count, ...figures, ...total];
  }

  // The eight columns of the published table of decoders, the six of the encoders'.
  function dimensions(lines) {
    const modes = state.view === "i2t" ? ["full", "pixel", "text"] : ["full", "image", "pixel", "text"];
    const find = (line, mode) => (line.status === "published" ? published : own).find((each) => each.mode === mode && each.name === line.name && each.target === line.target && each.table === (line.status === "published" ? line.table : each.table) && (each.content ?? "") === state.content);
    const known = new Map(lines.map((line) => [line, Object.fromEntries(modes.map((mode) => [mode, find(line, mode)]))]));
    return modes.flatMap((mode) => TOPIQ.map((name) => figure(`${mode}-${name}`, `${CMC.title(mode)} ${name === "topiq_fr" ? "FR" : "NR"}`, false, (line) => {
      const there = known.get(line)?.[mode];
      return [there?.cells?.[name], there?.low?.[name], there?.high?.[name]];
    }, lines)));
  }

  function placeAmong(lines) {
    const all = lines.filter((line) => line.status === "published").map((line) => line.overall);
    const place = (line) => (line.status === "published" ? 1 + all.filter((each) => each > line.overall).length : line.among?.[0] ?? null);
    return { key: "place", label: "#", plain: "Place", title: "Place in the published table; an own row has one where its images are the published ones", numeric: true, value: place, cell: (line) => (place(line) ? String(place(line)) : null) };
  }

  function draw(focus) {
    const lines = rows();
    const sort = (state.sort[state.view] ??= { ...SORTS[state.view] });
    CMC.fill("leaderboard-lead", {
      overall: "Means over the modes of each target, with 95 % intervals over images.", modes: "Every target in every mode, with 95 % intervals over images.",
      t2i: "The published table of decoders: consistency (FR) and perception (NR) in each mode.", i2t: "The published table of encoders: full, pixel and text mode.",
    }[state.view]);
    if (!lines.length) CMC.fill("leaderboard-table", CMC.empty("No row fits.", "Take a filter away to see more."));
    else CMC.table.draw("leaderboard-table", "Leaderboard", columns(lines), lines, sort, draw);
    if (focus) document.querySelector(`#leaderboard-table th button[data-key="${CSS.escape(focus)}"]`)?.focus();
    notes(lines);
  }

  function notes(lines) {
    const said = [];
    if (lines.some((line) => line.low)) said.push("Whiskers: 95 % bootstrap interval of the mean. Small figures beside a place: its 95 % interval.");
    if (!topiq) said.push("These targets have no TOPIQ scores, so the published rows cannot be compared with them; they stand in tables of their own.");
    else if (lines.some((line) => line.status === "published") && !own.some((line) => line.among)) said.push("Published rows are means over the benchmark's 1,000 images. Your images are others: compare with care.");
    if (loose.length) said.push(`${loose.map((metric) => metric.label).join(", ")}: computed in lower precision, which moves scores by about 0.01.`);
    CMC.fill("leaderboard-notes", said.map((text) => el("p", {}, text)));
  }

  function bar() {
    const kinds = Object.entries(board.groups).flatMap(([kind, sources]) => [[kind, kind], ...sources.map((source) => [`${kind}_${source}`, `${kind} · ${source}`])]);
    const there = kinds.filter(([key]) => own.some((line) => line.content === key));
    const modes = CMC.MODES.filter((mode) => own.some((line) => line.mode === mode));
    CMC.fill("leaderboard-bar", CMC.choice("Table", VIEWS, state.view, (view) => { state.view = view; bar(); draw(); document.querySelector(`#leaderboard-bar [data-key="${view}"]`).focus(); }),
      el("div", { class: "filters" },
        state.view === "modes" && modes.length > 1 ? CMC.select("Mode", [["", "All modes"], ...modes.map((mode) => [mode, CMC.title(mode)])], state.mode, (mode) => { state.mode = mode; draw(); }) : null,
        there.length && state.view !== "i2t" ? CMC.select("Content", [["", "All images"], ...there], state.content, (content) => { state.content = content; draw(); }) : null,
        CMC.search("Filter targets", (text) => { state.text = text; draw(); }),
        el("div", { class: "chips", role: "group", "aria-label": "Shown rows" }, marks.filter(([, , , has]) => board.lines.some((line) => has(line) && (line.status !== "published" || topiq || state.view.endsWith("2t") || state.view.endsWith("2i")))).map(([key, label]) => CMC.toggle(label, !state.hidden.has(key), (on) => { on ? state.hidden.delete(key) : state.hidden.add(key); draw(); })))));
    if (state.text) document.querySelector("#leaderboard-bar input").value = state.text;
  }

  bar();
  draw();
});
