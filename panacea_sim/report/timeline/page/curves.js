// Curves that are constant between knots, drawn as their mean in each bin: exact, because means are differences of
// the sum up to a cycle.

function makeCurve({ name, panel, from, to }, knots, values) {
  const at = knots.subarray(from, to);
  const amounts = values.subarray(from, to);
  const rate = new Float64Array(at.length);
  const sum = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) {
    const width = i + 1 < at.length ? at[i + 1] - at[i] : 0;
    rate[i] = panel !== "dram" ? amounts[i] : width ? amounts[i] / width : 0;
    if (i + 1 < at.length) sum[i + 1] = sum[i] + (panel === "dram" ? amounts[i] : amounts[i] * width);
  }
  return { name, panel, at, rate, sum };
}

function upTo(curve, cycle) {
  const { at, rate, sum } = curve;
  const i = firstEndingAfter(at, cycle, 0, at.length) - 1;
  return i < 0 ? NaN : sum[i] + rate[i] * (cycle - at[i]);
}

// Mean of some curves in each bin between first and last, as the corners of a line with steps.
function steps(curves, first, last, bins) {
  const xs = [];
  const ys = [];
  const total = (cycle) => curves.reduce((sum, curve) => sum + upTo(curve, cycle), 0) / curves.length;
  const width = (last - first) / bins;
  let before = total(first);
  for (let bin = 0; bin < bins; bin++) {
    const right = first + (bin + 1) * width;
    const after = total(right);
    const mean = (after - before) / width;
    xs.push(first + bin * width, right);
    ys.push(mean, mean);
    before = after;
  }
  return { xs, ys };
}
