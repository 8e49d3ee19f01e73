// All images with their pictures and scores, loaded once when they are asked for; which come first, and which fit a filter.
"use strict";
CMC.album = (() => {
  let loading = null;

  function open() {
    loading ??= Promise.all([
      CMC.load("images"),
      ...CMC.board.targets.map((target, place) => CMC.load(`target-${place}`)),
    ]).then(([images, ...targets]) => ({ images, targets }));
    return loading;
  }

  const picture = (found, rest) => ({
    ...rest,
    thumb: Array.isArray(found) ? found[0] : "",
    full: Array.isArray(found) ? found[1] : "",
    broken: found === 1,
  });

  // One image: its original, references, and what each target made of it in each mode.
  function item({ images, targets }, index) {
    const name = images.names[index];
    const originals = images.truth[index]
      ? [picture(images.truth[index], { key: "truth", label: "Original", alt: `Original: ${name}` })]
      : [];
    const references = Object.entries(images.references)
      .filter(([, paths]) => paths[index])
      .map(([kind, paths]) =>
        picture(paths[index], {
          key: `reference-${kind}`,
          label: kind.charAt(0).toUpperCase() + kind.slice(1),
          alt: `${kind} of ${name}`,
        }),
      );
    const made = targets
      .flatMap((target, place) =>
        CMC.MODES.filter((mode) => target.modes[mode]).map((mode) => {
          const column = target.modes[mode],
            scores = Object.fromEntries(
              Object.entries(column.scores)
                .map(([metric, values]) => [metric, values[index]])
                .filter(([, value]) => value !== null),
            );
          return picture(column.pictures[index], {
            key: `${place}-${mode}`,
            label: `${CMC.board.targets[place].name} · ${mode}`,
            alt: `Reconstruction of ${name} by ${CMC.board.targets[place].name}, ${mode} mode`,
            target: place,
            mode,
            scores,
            bpp: column.bpp[index],
            bits: column.bits[index],
            rateKind: CMC.board.targets[place].rates[mode]?.kind,
            changed: column.changed.includes(index),
            there: Boolean(column.pictures[index]) || column.bpp[index] !== null || Object.keys(scores).length > 0,
          });
        }),
      )
      .filter((each) => each.there);
    const texts = new Map();
    targets.forEach((target, place) => {
      const text = target.captions[index];
      if (text) texts.set(text, [...(texts.get(text) ?? []), place]);
    });
    return {
      index,
      name,
      type: images.types[index],
      source: images.sources[index],
      size: images.sizes[index],
      originals,
      references,
      made,
      captions: [...texts],
    };
  }

  // filter: {text, content, targets: Set, modes: Set}
  function matching({ images, targets }, filter) {
    const [type, source] = filter.content.split("/");
    return images.names
      .map((name, index) => index)
      .filter((index) => {
        if (type && images.types[index] !== type) return false;
        if (source && images.sources[index] !== source) return false;
        if (!filter.text || images.names[index].toLowerCase().includes(filter.text)) return true;
        return targets.some(
          (target, place) => filter.targets.has(place) && target.captions[index].toLowerCase().includes(filter.text),
        );
      });
  }

  function columns({ targets }, filter, metric) {
    return targets
      .flatMap((target, place) =>
        Object.entries(target.modes).map(([mode, column]) => ({
          key: `${place}-${mode}`,
          target: place,
          mode,
          values: column.scores[metric],
        })),
      )
      .filter((each) => each.values && filter.targets.has(each.target) && filter.modes.has(each.mode));
  }

  // A figure of each image to sort by, from what is shown; null where there is none. order: {kind, metric, one, other}
  function figures(data, filter, order) {
    const lower = CMC.board.metrics.find((metric) => metric.name === order.metric)?.lower,
      good = lower ? -1 : 1;
    const all = columns(
      data,
      order.kind === "difference" ? { targets: new Set(data.targets.keys()), modes: new Set(CMC.MODES) } : filter,
      order.metric,
    );
    const count = data.images.names.length;
    if (order.kind === "difference") {
      const [one, other] = [order.one, order.other].map((key) => all.find((column) => column.key === key));
      return Array.from({ length: count }, (_, index) =>
        one && other && one.values[index] !== null && other.values[index] !== null
          ? good * (one.values[index] - other.values[index])
          : null,
      );
    }
    if (order.kind === "disagreement") {
      const modes = CMC.MODES.map((mode) => all.filter((column) => column.mode === mode)).filter((each) => each.length > 1);
      return Array.from({ length: count }, (_, index) =>
        mean(modes.map((each) => spread(each.map((column) => column.values[index])))),
      );
    }
    // Beside a column's own mean, so that an image which a poor target lacks does not look good
    const means = all.map((column) => mean(column.values));
    return Array.from({ length: count }, (_, index) => {
      const at = mean(
        all.map((column, place) => (column.values[index] === null ? null : column.values[index] - means[place])),
      );
      return at === null ? null : good * at;
    });
  }

  function mean(values) {
    const there = values.filter((value) => value !== null);
    return there.length ? there.reduce((sum, value) => sum + value, 0) / there.length : null;
  }

  function spread(values) {
    const there = values.filter((value) => value !== null);
    return there.length > 1 ? Math.max(...there) - Math.min(...there) : null;
  }

  // Indices of the images that fit, in order, and the figures that they were sorted by.
  function sorted(data, filter, order) {
    const fitting = matching(data, filter);
    if (order.kind === "name") return { indices: fitting, values: null };
    const values = figures(data, filter, order),
      up = order.kind === "worst" ? 1 : -1;
    const gone = (index) => values[index] === null;
    return {
      indices: fitting.sort(
        (one, other) => gone(one) - gone(other) || (gone(one) ? 0 : up * (values[one] - values[other])) || one - other,
      ),
      values,
    };
  }

  return { open, item, sorted };
})();
