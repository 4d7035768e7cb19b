// What is drawn of lanes: rectangles with a state, and what stands behind each.

const HALF = 0.42;

// The parts of lanes: `parts` are the rectangles with a state and an interval (i >= 0) or a group (-1 - its number in
// `groups`); `columns` are those of paint.js that they make up. row(y, label, lanes) returns what takes what the
// functions of bins.js find in that row.
function partCollector({ start, end, state }) {
  const parts = { left: [], right: [], bottom: [], top: [], state: [], i: [] };
  const columns = [];
  const groups = [];
  const add = (left, right, bottom, top, state, i) => {
    parts.left.push(left); parts.right.push(right); parts.bottom.push(bottom); parts.top.push(top);
    parts.state.push(state); parts.i.push(i);
  };
  const row = (y, label, lanes) => {
    const addColumn = (first, left, right, top, isFull) => columns.push({ lane: y, first, last: parts.i.length, left, right, top, isFull });
    const single = (i) => {
      add(start[i], end[i], y + HALF, y - HALF, state[i], i);
      addColumn(parts.i.length - 1, start[i], end[i], y - HALF, true);
    };
    const group = (from, to, cycles, count) => {
      const all = (to - from) * lanes;
      groups.push({ name: label, from, to, cycles: cycles.slice(), count, lanes });
      const firstPart = parts.i.length;
      let base = y + HALF;
      for (let s = 0; s < STATE_COUNT; s++) {
        if (!cycles[s]) continue;
        const height = (2 * HALF * cycles[s]) / all;
        add(from, to, base, base - height, s, -groups.length);
        base -= height;
      }
      addColumn(firstPart, from, to, base, base - (y - HALF) < TOUCHING);
    };
    return { single, group };
  };
  return { parts, columns, groups, row };
}

// Bins of whole pixels have no pale lines between them; bokeh's own begin in the middle of a pixel.
function pixelGrid(first, last, bins, pixels) {
  const pixel = (last - first) / pixels;
  const width = Math.max(Math.round((last - first) / bins / pixel), 1) * pixel;
  return { origin: first - pixel / 2, width, pixel };
}

// The parts of all rows.
function laneParts(first, last, bins) {
  const grid = pixelGrid(first, last, bins, models.lanes.inner_width || 1000);
  const { width } = grid;
  const found = partCollector(data);
  const [bin, spread] = header.detail === "intervals" ? [binIntervals, spreadIntervals] : [binStretches, spreadStretches];
  rows.forEach((row, y) => {
    if (!row.lanes) return;
    const takers = found.row(y, row.label, row.lanes.length);
    if (!row.together) { bin(row.lanes[0], data, first, last, grid, takers); return; }
    const cycles = binTogether(row.lanes, data, first, last, grid, spread);
    for (let b = 0; b * STATE_COUNT < cycles.length; b++) {
      const from = grid.origin + b * width;
      takers.group(Math.max(from, first), Math.min(from + width, last), cycles.subarray(b * STATE_COUNT, (b + 1) * STATE_COUNT), 0);
    }
  });
  return { ...found, pixel: grid.pixel };
}

// Bokeh searches plain arrays for models, one element after the other.
function typed(columns) {
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, Float64Array.from(values)]));
}
