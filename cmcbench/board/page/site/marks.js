// What Chart.js does not draw: bands of intervals, the names of curves beside their ends; and the Pareto front.
"use strict";
CMC.marks = (() => {
  const GAP = 15, // pixels between two names
    MOST = 150; // that a name may take

  // datasets with `ends`: [low, high] of each point, undefined where it has none. A band along a curve, a bar at a single point.
  const bands = {
    id: "bands",
    beforeDatasetsDraw(chart) {
      const { ctx, scales, chartArea } = chart;
      ctx.save();
      ctx.beginPath();
      ctx.rect(chartArea.left, chartArea.top, chartArea.width, chartArea.height);
      ctx.clip();
      chart.data.datasets.forEach((set, at) => {
        if (!set.ends || !chart.isDatasetVisible(at)) return;
        const known = set.data.map((point, place) => [point.x, set.ends[place]]).filter(([, ends]) => ends);
        const pixels = (end) =>
          known.map(([x, ends]) => [scales.x.getPixelForValue(x), scales.y.getPixelForValue(ends[end])]);
        const low = pixels(0),
          high = pixels(1);
        ctx.fillStyle = CMC.faint(set.borderColor, chart.data.datasets.length > 7 ? 0.06 : 0.13);
        ctx.strokeStyle = CMC.faint(set.borderColor, 0.55);
        ctx.beginPath();
        if (known.length > 1) {
          for (const [x, y] of [...low, ...high.reverse()]) ctx.lineTo(x, y);
          ctx.fill();
        } else if (known.length) {
          ctx.moveTo(...low[0]);
          ctx.lineTo(...high[0]);
          ctx.stroke();
        }
      });
      ctx.restore();
    },
  };

  // The names of datasets with `named`, each at the height of its last point, moved apart where they would meet.
  const names = {
    id: "names",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea, width } = chart;
      const ends = chart.data.datasets
        .map((set, at) => ({ set, last: chart.getDatasetMeta(at).data.slice(-1)[0] }))
        .filter(({ set, last }) => set.named && last);
      const places = spaced(
        ends.map(({ last }) => last.y),
        GAP,
        chartArea.top,
        chartArea.bottom,
      );
      ctx.save();
      font(ctx);
      ctx.textBaseline = "middle";
      ends.forEach(({ set, last }, at) => {
        ctx.strokeStyle = CMC.faint(set.borderColor, 0.5);
        ctx.beginPath();
        ctx.moveTo(last.x + 6, last.y);
        ctx.lineTo(chartArea.right + 8, places[at]);
        ctx.stroke();
        ctx.fillStyle = set.borderColor;
        ctx.fillText(set.label, chartArea.right + 11, places[at], width - chartArea.right - 12);
      });
      ctx.restore();
    },
  };

  const font = (ctx) => (ctx.font = `500 11px ${CMC.css("--font")}`);

  // How much room the names need on the right of a chart, in pixels.
  function room(labels) {
    const ctx = document.createElement("canvas").getContext("2d");
    font(ctx);
    return Math.min(MOST, Math.max(0, ...labels.map((label) => ctx.measureText(label).width))) + 16;
  }

  // Places as near to the wanted ones as the gap allows, in the same order, between low and high where all fit. Neighbours that
  // are too near become a block about their common middle.
  function spaced(wanted, gap, low, high) {
    const order = [...wanted.keys()].sort((one, other) => wanted[one] - wanted[other]);
    const blocks = [];
    const half = (block) => ((block.members.length - 1) * gap) / 2;
    for (const each of order) {
      blocks.push({ middle: wanted[each], members: [each] });
      while (blocks.length > 1) {
        const [before, last] = blocks.slice(-2);
        if (before.middle + half(before) + gap <= last.middle - half(last)) break;
        const members = [...before.members, ...last.members];
        const middle = (before.middle * before.members.length + last.middle * last.members.length) / members.length;
        blocks.splice(-2, 2, { middle, members });
      }
    }
    const found = [];
    for (const block of blocks) block.members.forEach((each, nth) => (found[each] = block.middle - half(block) + nth * gap));
    let least = low;
    for (const each of order) {
      found[each] = Math.max(found[each], least);
      least = found[each] + gap;
    }
    let most = high;
    for (const each of order.slice().reverse()) {
      found[each] = Math.min(found[each], most);
      most = found[each] - gap;
    }
    return found;
  }

  // Round values on a logarithmic axis, as many as have room for their figures.
  const STEPS = [[1, 1.5, 2, 3, 5, 7], [1, 2, 5], [1, 3], [1]],
    FIGURE = 44; // pixels
  function ticks({ min, max, width }) {
    const place = (value) => (width * Math.log(value / min)) / Math.log(max / min);
    const all = STEPS.map((steps) => {
      const found = [];
      for (let power = Math.floor(Math.log10(min)); power <= Math.log10(max); power++)
        found.push(...steps.map((step) => Number((step * 10 ** power).toPrecision(3))));
      return found.filter((value) => value >= min && value <= max);
    });
    const fits = (found) => found.every((value, at) => !at || place(value) - place(found[at - 1]) >= FIGURE);
    const chosen = all.find(fits);
    return (chosen.length ? chosen : all[0].slice(0, 1)).map((value) => ({ value }));
  }

  // Points of counted rates that are better than all of the same rate or a lower one.
  function front(curves, metric) {
    const sign = metric.lower ? 1 : -1,
      at = (point) => sign * point.values[metric.name];
    const found = [];
    for (const point of curves
      .flatMap((curve) => curve.points)
      .filter((each) => !each.nominal && !each.estimated)
      .sort((one, other) => one.bpp - other.bpp || at(one) - at(other)))
      if (!found.length || at(point) < at(found[found.length - 1])) found.push(point);
    return found;
  }

  function stairs(best, metric) {
    return {
      label: "Pareto front",
      data: best.map((point) => ({ x: point.bpp, y: point.values[metric.name] })),
      showLine: true,
      stepped: "before",
      borderColor: CMC.css("--muted"),
      borderWidth: 1.5,
      borderDash: [2, 3],
      pointRadius: 0,
      pointHitRadius: 0,
      order: 9,
    };
  }

  return { bands, names, room, spaced, ticks, front, stairs };
})();
