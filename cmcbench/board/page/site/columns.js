// The columns of the leaderboard: names with their marks, places, rates, and figures with their intervals drawn to scale.
"use strict";
CMC.columns = (() => {
  const { el, score, TOPIQ } = CMC;

  const isCodec = (line) => Boolean(CMC.board.targets[line.target]?.manifest?.codec);
  const marks = [
    [
      "published",
      "published",
      "Published by the benchmark's authors, on its 1,000 images",
      (line) => line.status === "published",
    ],
    ["baseline", "baseline", "No generative model: the floor that every system must beat", (line) => Boolean(line.baseline)],
    ["partial", "partial", "Some images have no score: not ranked", (line) => line.status === "partial"],
    [
      "single",
      "single mode",
      "A submission needs two modes: Overall is not ranked",
      (line) => line.status === "single mode" && !isCodec(line),
    ],
    [
      "rate",
      "other rate",
      "References above the protocol's 0.02 bpp, which buy a better score: not ranked",
      (line) => line.status === "other rate" && !isCodec(line),
    ],
    ["codec", "codec", "A picture codec, to compare with", isCodec],
    ["nominal", "nominal rate", "The bits are the protocol's, not counted on a bitstream", (line) => Boolean(line.nominal)],
    ["estimated", "estimated rate", "The bits were computed, and no stream backs them", (line) => Boolean(line.estimated)],
  ];
  // A row that is not ranked says why in words, which say more than these.
  const SAID = ["partial", "single", "rate"];
  function badges(line, why) {
    return marks
      .filter(([key, , , has]) => has(line) && !(why && SAID.includes(key)))
      .map(([key, label, title]) =>
        el("span", { class: `badge ${key}`, title }, key === "baseline" ? `baseline ${line.baseline}` : label),
      );
  }

  // Why an own row has no place by a metric, or by "overall"; "" where it has one. What takes no place never stands above what
  // does.
  function unranked(line, key) {
    if (line.status === "published" || line.ranks?.[key]) return "";
    if (line.why) return line.why;
    const metric = CMC.board.metrics.find(({ name }) => name === key);
    const [label, few] = [metric?.label ?? "Overall", line.fewer?.[key]];
    return `not ranked: ${few === undefined ? `no ${label}` : `${label} of ${CMC.whole(few)} of ${CMC.count(line.of, "image")}`}`;
  }

  const nameColumn = (key) => ({
    key: "name",
    label: "Target",
    value: (line) => line.name.toLowerCase(),
    cell: (line) => {
      const why = unranked(line, key);
      return el(
        "div",
        { class: "target" },
        el("span", { class: "called" }, CMC.dot(line.target), CMC.name(line.name)),
        badges(line, why),
        why ? el("span", { class: "why" }, why) : null,
      );
    },
  });
  const placeColumn = (key) => ({
    key: "place",
    label: "#",
    plain: "Place",
    title: "Place among whole results that can be compared, and its 95 % interval",
    numeric: true,
    value: (line) => line.ranks?.[key] ?? null,
    cell: (line) => {
      const place = line.ranks?.[key],
        range = line.places?.[key];
      if (!place) return line.status === "published" ? "" : el("span", { class: "dim", title: unranked(line, key) }, "–");
      return el(
        "span",
        { class: "place" },
        String(place),
        range && range[0] !== range[1]
          ? el("small", { title: `95 % interval of the place: ${range[0]} to ${range[1]}` }, `${range[0]}–${range[1]}`)
          : null,
      );
    },
  });
  const count = {
    key: "n",
    label: "n",
    plain: "Images",
    title: "Images with every score, of those in the ground truth",
    numeric: true,
    value: (line) => line.n,
    cell: (line) => (line.n === line.of ? CMC.whole(line.n) : `${CMC.whole(line.n)}/${CMC.whole(line.of)}`),
  };
  const modeColumn = {
    key: "mode",
    label: "Mode",
    value: (line) => CMC.MODES.indexOf(line.mode),
    cell: (line) => el("span", { class: "mode" }, line.mode),
  };
  const modesColumn = {
    key: "modes",
    label: "Modes",
    value: (line) => line.modes.length,
    best: "high",
    cell: (line) => el("span", { class: "dim modes" }, line.modes.join(" · ")),
  };
  const rate = {
    key: "bpp",
    label: "bpp",
    title: "Bits per pixel of the ground truth",
    numeric: true,
    value: (line) => line.bpp ?? null,
    cell: (line) =>
      line.bpp === undefined
        ? null
        : el(
            "span",
            { title: line.ratio ? `${CMC.whole(line.ratio)} times smaller than 24 bits per pixel` : null },
            CMC.bpp(line.bpp),
            CMC.sign(CMC.kind(line)),
          ),
  };

  const rates = {
    key: "bpps",
    label: "bpp",
    title: "Bits per pixel of the ground truth, from the cheapest mode to the dearest",
    numeric: true,
    value: (line) => line.bpps?.[0] ?? null,
    cell: (line) => {
      if (!line.bpps) return null;
      const [low, high] = line.bpps.map(CMC.bpp);
      return el("span", { class: "dim" }, low === high ? low : `${low}–${high}`, CMC.sign(CMC.kind(line)));
    },
  };

  // A figure with its interval drawn to the column's scale. get(line) -> [value, low, high, rank]
  // few(line) -> how many images have it, where that is fewer than the row says. ranked: what a row must have a place by, not to
  // stand last.
  function figure(key, label, lower, get, lines, title, few = () => undefined, ranked = key) {
    const ends = lines.flatMap((line) => get(line).slice(0, 3)).filter((value) => value !== undefined && value !== null);
    const low = Math.min(...ends),
      high = Math.max(...ends),
      at = (value) => `${high > low ? (100 * (value - low)) / (high - low) : 50}%`;
    return {
      key,
      numeric: true,
      last: (line) => Boolean(unranked(line, ranked)),
      best: lower ? "low" : "high",
      label: `${label} ${lower ? "↓" : "↑"}`,
      plain: label,
      title: title ?? (lower ? "lower is better" : "higher is better"),
      value: (line) => get(line)[0] ?? null,
      cell: (line) => {
        const [value, from, to] = get(line);
        if (value === undefined || value === null) return null;
        const whisker =
          from === undefined
            ? null
            : el("i", {
                class: "whisker",
                style: { left: at(from), width: `${high > low ? (100 * (to - from)) / (high - low) : 0}%` },
              });
        const count = few(line);
        const text =
          (from === undefined ? score(value) : `${score(value)}, 95 % interval ${score(from)} to ${score(to)}`) +
          (count === undefined ? "" : `; of ${CMC.count(count, "image")}, not ranked`);
        return el(
          "span",
          { class: "figure", title: text },
          el("span", {}, score(value), count === undefined ? null : el("small", {}, ` n=${CMC.whole(count)}`)),
          el(
            "span",
            { class: "track", "aria-hidden": "true", style: { "--dot": CMC.colour(line.target) } },
            whisker,
            el("i", { class: "mean", style: { left: at(value) } }),
          ),
        );
      },
    };
  }

  const of = (key) => (line) => [key === "overall" ? line.overall : line.cells?.[key], line.low?.[key], line.high?.[key]];

  // The eight columns of the published table of decoders, the six of the encoders'.
  function dimensions(lines, view, content) {
    const modes = view === "i2t" ? ["full", "pixel", "text"] : ["full", "image", "pixel", "text"];
    const find = (line, mode) =>
      CMC.board.lines.find(
        (each) =>
          each.mode === mode &&
          each.name === line.name &&
          each.target === line.target &&
          (line.status !== "published" || each.table === line.table) &&
          (each.content ?? "") === content,
      );
    const known = new Map(lines.map((line) => [line, Object.fromEntries(modes.map((mode) => [mode, find(line, mode)]))]));
    return modes.flatMap((mode) =>
      TOPIQ.map((name) =>
        figure(
          `${mode}-${name}`,
          `${CMC.title(mode)} ${name === TOPIQ[0] ? "FR" : "NR"}`,
          false,
          (line) => {
            const there = known.get(line)?.[mode];
            return [there?.cells?.[name], there?.low?.[name], there?.high?.[name]];
          },
          lines,
          undefined,
          undefined,
          "overall",
        ),
      ),
    );
  }

  function placeAmong(lines) {
    const all = lines.filter((line) => line.status === "published").map((line) => line.overall);
    const place = (line) =>
      line.status === "published" ? 1 + all.filter((each) => each > line.overall).length : (line.among?.[0] ?? null);
    return {
      key: "place",
      label: "#",
      plain: "Place",
      title: "Place in the published table; an own row has one where its images are the published ones",
      numeric: true,
      value: place,
      cell: (line) => (place(line) ? String(place(line)) : null),
    };
  }

  return {
    marks,
    nameColumn,
    unranked,
    placeColumn,
    count,
    modeColumn,
    modesColumn,
    rate,
    rates,
    figure,
    of,
    dimensions,
    placeAmong,
  };
})();
