// The scatter: two chosen measures, one across and one up.

const MARGIN = 0.06;

// The range that holds the places with some room beside them.
function roomy(places) {
  const known = places.filter((place) => place !== null);
  const low = known.length ? Math.min(...known) : 0, high = known.length ? Math.max(...known) : 1;
  const room = (high - low || Math.abs(high) || 1) * MARGIN;
  return { start: low - room, end: high + room };
}

function drawScatter() {
  const { source, scatter, scatterX, scatterY } = models;
  const measures = { x: header.measures[view.x], y: header.measures[view.y] };
  const placed = Object.fromEntries(["x", "y"].map((side) => [side, measures[side].places.map((place) => place ?? NaN)]));
  source.data = { ...source.data, ...placed };
  for (const [side, range, axis] of [["x", scatter.x_range, scatterX], ["y", scatter.y_range, scatterY]]) {
    const { start, end } = roomy(measures[side].places);
    range.setv({ start, end, reset_start: start, reset_end: end });
    axis.axis_label = titleOf(measures[side]);
  }
}

// The text of a tick: of words only those that there are.
function tick(side, value) {
  const { words } = header.measures[view[side]];
  if (words) return Number.isInteger(value) ? words[value] ?? "" : "";
  return short(value);
}
