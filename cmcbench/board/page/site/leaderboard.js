// The leaderboard: own targets with intervals, the published rows beside them where they can be compared.
"use strict";
CMC.parts.push(() => {
  const { el, board, picks, TOPIQ } = CMC;
  const { marks, nameColumn, unranked, placeColumn, placeAmong } = CMC.columns,
    { count, modeColumn, modesColumn, rate, rates, figure, of, dimensions } = CMC.columns;
  const own = board.lines.filter((line) => line.status !== "published"),
    published = board.lines.filter((line) => line.status === "published");
  const topiq = TOPIQ.every((name) => board.metrics.some((metric) => metric.name === name));
  const contents = Object.entries(board.groups)
    .flatMap(([kind, sources]) => [[kind, kind], ...sources.map((source) => [`${kind}_${source}`, `${kind} · ${source}`])])
    .filter(([key]) => own.some((line) => line.content === key));
  const modes = CMC.MODES.filter((mode) => own.some((line) => line.mode === mode));
  const VIEWS = [
    ["overall", "Overall"],
    ["modes", "By mode"],
    ["t2i", "Decoders, as published"],
    ["i2t", "Encoders, as published"],
  ];
  const SORTS = {
    overall: { key: topiq ? "overall" : board.metrics[0]?.name, down: topiq || !board.metrics[0]?.lower },
    modes: { key: "mode", down: false },
    t2i: { key: "overall", down: true },
    i2t: { key: "overall", down: true },
  };

  const fields = {
    view: CMC.state.one(
      "view",
      VIEWS.map(([key]) => key),
    ),
    content: CMC.state.one("content", ["", ...contents.map(([key]) => key)]),
    mode: CMC.state.one("mode", ["", ...modes]),
    text: CMC.state.field("find", ""),
    hidden: CMC.state.field("hide", [], { many: true, valid: (key) => marks.some(([mark]) => mark === key) }),
    sort: CMC.state.field("sort", "", { valid: (text) => /^[\w.@+-]{1,80},(up|down)$/.test(text) }),
  };
  const state = Object.defineProperties(
    {},
    Object.fromEntries(Object.entries(fields).map(([key, field]) => [key, { get: field.get, set: field.set }])),
  );

  const loose = board.metrics.filter((metric) => /(bf16|fp16)/.test(metric.name));

  // A row over modes is at a nominal rate where one of them is.
  function withNominal(line) {
    const nominal = own.some((each) => each.target === line.target && each.nominal && line.modes.includes(each.mode));
    const estimated = own.some((each) => each.target === line.target && each.estimated && line.modes.includes(each.mode));
    return { ...line, ...(nominal ? { nominal } : {}), ...(estimated ? { estimated } : {}) };
  }

  // What a row over modes was sent as, in its cheapest mode and its dearest. Rates are those of all images.
  function withRates(line) {
    if (line.content) return line;
    const bpps = own
      .filter((each) => each.target === line.target && !each.content && line.modes.includes(each.mode))
      .flatMap((each) => each.bpp ?? []);
    return bpps.length ? { ...line, bpps: [Math.min(...bpps), Math.max(...bpps)] } : line;
  }

  // Within a mode the better ones come first, by the first metric; then those that it gives no place.
  function better(one, other) {
    const { name, lower } = board.metrics[0] ?? {};
    const behind = Boolean(unranked(one, name)) - Boolean(unranked(other, name));
    if (behind) return behind;
    const [first, next] = [one, other].map((line) => line.cells?.[name] ?? (lower ? Infinity : -Infinity));
    return first === next ? 0 : first < next === Boolean(lower) ? -1 : 1;
  }

  function rows() {
    const table = state.view === "i2t" ? "i2t" : "t2i";
    const wanted = { overall: "overall", t2i: "overall", i2t: "overall-i2t" }[state.view];
    const beside =
      state.content || ((state.view === "overall" || state.view === "modes") && !topiq)
        ? []
        : published.filter((line) => line.table === table);
    const chosen = new Set(picks.listed());
    return [
      ...own
        .filter((line) => chosen.has(line.target))
        .map(withNominal)
        .map(withRates),
      ...beside,
    ]
      .filter((line) => (line.content ?? "") === state.content)
      .filter((line) => (wanted ? line.mode === wanted : !line.mode.startsWith("overall")))
      .filter((line) => wanted || !state.mode || line.mode === state.mode)
      .filter((line) => line.status === "published" || !wanted || state.view === "overall" || line.overall !== undefined)
      .filter((line) => !marks.some(([key, , , has]) => state.hidden.includes(key) && has(line)))
      .filter(
        (line) =>
          !state.text || `${line.name} ${line.encoder ?? ""} ${line.decoder ?? ""}`.toLowerCase().includes(state.text),
      )
      .map((line) => ({ ...line, class: line.status === "published" ? "published" : "own" }))
      .sort(state.view === "modes" ? better : () => 0);
  }

  function columns(lines) {
    const first = topiq && state.view !== "modes" ? "overall" : board.metrics[0]?.name;
    if (state.view === "t2i" || state.view === "i2t")
      return [
        placeAmong(lines),
        nameColumn("overall"),
        figure("overall", "Overall", false, of("overall"), lines),
        ...dimensions(lines, state.view, state.content),
      ];
    const shown = board.metrics.filter((metric) => lines.some((line) => line.cells?.[metric.name] !== undefined));
    const figures = shown.map((metric) =>
      figure(
        metric.name,
        metric.label,
        metric.lower,
        of(metric.name),
        lines,
        `${metric.kind === "FR" ? "consistency" : "perception"}, ${metric.lower ? "lower" : "higher"} is better`,
        (line) => line.fewer?.[metric.name],
      ),
    );
    const rated = [rate, rates].filter((column) => lines.some((line) => column.value(line) !== null));
    if (state.view === "modes")
      return [placeColumn(first), nameColumn(first), modeColumn, count, ...rated.filter((each) => each === rate), ...figures];
    const total = lines.some((line) => line.overall !== undefined)
      ? [
          figure(
            "overall",
            "Overall",
            false,
            of("overall"),
            lines,
            "2/3 of the mean FR plus 1/3 of the mean NR over the modes",
          ),
        ]
      : [];
    return [
      placeColumn(first),
      nameColumn(first),
      modesColumn,
      count,
      ...rated.filter((each) => each === rates),
      ...figures,
      ...total,
    ];
  }

  const isFirst = ({ key, down }) => key === SORTS[state.view].key && down === SORTS[state.view].down;

  function sorting() {
    const [key, way] = state.sort.split(",");
    return way ? { key, down: way === "down" } : { ...SORTS[state.view] };
  }

  function draw(focus) {
    const lines = rows(),
      sort = sorting();
    CMC.fill(
      "leaderboard-lead",
      {
        overall: "Means over the modes of each target, with 95 % intervals over images.",
        modes: "Every target in every mode, with 95 % intervals over images.",
        t2i: "The published table of decoders: consistency (FR) and perception (NR) in each mode.",
        i2t: "The published table of encoders: full, pixel and text mode.",
      }[state.view],
    );
    const dense = state.view.includes("2") || board.metrics.length > 3;
    document.getElementById("leaderboard-table").classList.toggle("dense", dense);
    if (!lines.length) CMC.fill("leaderboard-table", CMC.empty("No row fits.", "Take a filter away to see more."));
    else {
      const shown = columns(lines);
      if (!shown.some((column) => column.key === sort.key)) Object.assign(sort, SORTS[state.view]);
      CMC.table.draw("leaderboard-table", "Leaderboard", shown, lines, sort, (key) => {
        fields.sort.set(isFirst(sort) ? "" : `${sort.key},${sort.down ? "down" : "up"}`, { quiet: true });
        draw(key);
      });
    }
    if (focus) document.querySelector(`#leaderboard-table th button[data-key="${CSS.escape(focus)}"]`)?.focus();
    notes(lines);
  }

  function notes(lines) {
    const said = [];
    if (lines.some((line) => line.low))
      said.push("Whiskers: 95 % bootstrap interval of the mean. Small figures beside a place: its 95 % interval.");
    if (!topiq)
      said.push(
        "These targets have no TOPIQ scores, so the published rows cannot be compared with them; they stand in tables of their own.",
      );
    else if (lines.some((line) => line.status === "published") && !own.some((line) => line.among))
      said.push("Published rows are means over the benchmark's 1,000 images. Your images are others: compare with care.");
    for (const kind of new Set(lines.map(CMC.kind))) if (CMC.signs[kind]) said.push(CMC.signs[kind]);
    if (loose.length)
      said.push(
        `${loose.map((metric) => metric.label).join(", ")}: computed in lower precision, which moves scores by about 0.01.`,
      );
    CMC.fill(
      "leaderboard-notes",
      said.map((text) => el("p", {}, text)),
    );
  }

  function bar() {
    const shown = new Set(marks.map(([key]) => key).filter((key) => !state.hidden.includes(key)));
    CMC.fill(
      "leaderboard-bar",
      CMC.choice("Table", VIEWS, state.view, (view) => {
        fields.sort.set("", { quiet: true });
        fields.view.set(view);
        bar();
        document.querySelector(`#leaderboard-bar [data-key="${view}"]`).focus();
      }),
      el(
        "div",
        { class: "filters" },
        state.view === "modes" && modes.length > 1
          ? CMC.select(
              "Mode",
              [["", "All modes"], ...modes.map((mode) => [mode, CMC.title(mode)])],
              state.mode,
              fields.mode.set,
            )
          : null,
        contents.length && state.view !== "i2t"
          ? CMC.select("Content", [["", "All images"], ...contents], state.content, fields.content.set)
          : null,
        CMC.search("Filter rows", state.text, fields.text.set),
        el(
          "div",
          { class: "chips", role: "group", "aria-label": "Shown rows" },
          marks
            .filter(([, , , has]) =>
              board.lines.some(
                (line) =>
                  has(line) &&
                  (line.status !== "published" || topiq || state.view.endsWith("2t") || state.view.endsWith("2i")),
              ),
            )
            .map(([key, label]) =>
              CMC.toggle(label, shown.has(key), (on) => {
                const hidden = state.hidden.filter((each) => each !== key);
                fields.hidden.set(on ? hidden : [...hidden, key]);
              }),
            ),
        ),
      ),
    );
  }

  CMC.state.follow(["view", "content", "mode", "find", "hide", "sort", "t"], () => draw(), bar);
  bar();
  draw();
});
