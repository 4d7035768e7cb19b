// Curves that are constant between knots, drawn as their mean in each bin: exact, because means are differences of
// the sum up to a cycle.

function makeCurve({ name, panel, from, to }, knots, values) {
  const isAmount = panel === "dram" || panel === "operators" || panel === "power";
  const at = knots.subarray(from, to);
  const held = values.subarray(from, to);
  const rate = new Float64Array(at.length);
  const sum = new Float64Array(at.length);
  for (let i = 0; i < at.length; i++) {
    const width = i + 1 < at.length ? at[i + 1] - at[i] : 0;
    rate[i] = !isAmount ? held[i] : width ? held[i] / width : 0;
    if (i + 1 < at.length) sum[i + 1] = sum[i] + (isAmount ? held[i] : held[i] * width);
  }
  const upTo = (cycle) => {
    const i = firstEndingAfter(at, cycle, 0, at.length) - 1;
    return i < 0 ? NaN : sum[i] + rate[i] * (cycle - at[i]);
  };
  return { name, panel, upTo };
}

// The steps of one kind of operator in some lanes, whose firings do theirs evenly.
function makeStepsCurve(lanes, { start, end }, steps) {
  const before = new Float64Array(steps.length + 1);
  for (let i = 0; i < steps.length; i++) before[i + 1] = before[i] + steps[i];
  const ofLane = (lane, cycle) => {
    const i = firstEndingAfter(end, cycle, lane.from, lane.to);
    const part = i < lane.to && cycle > start[i] ? (steps[i] * (cycle - start[i])) / (end[i] - start[i]) : 0;
    return before[i] - before[lane.from] + part;
  };
  return { panel: "operators", upTo: (cycle) => lanes.reduce((sum, lane) => sum + ofLane(lane, cycle), 0) };
}

// Steps as percent of what `count` operators can do; known between first and last only.
function asUtilization({ panel, upTo }, count, [first, last]) {
  return { panel, upTo: (cycle) => (cycle < first || cycle > last ? NaN : (100 * upTo(cycle)) / count) };
}

// Energy as power: what a unit of energy in each cycle is in mW.
const asPower = ({ name, panel, upTo }, mwPerUnit) => ({ name, panel, upTo: (cycle) => mwPerUnit * upTo(cycle) });

// Mean of some curves in each bin between first and last, as the corners of a line with steps.
function steps(curves, first, last, bins) {
  const xs = [];
  const ys = [];
  const total = (cycle) => curves.reduce((sum, curve) => sum + curve.upTo(cycle), 0) / curves.length;
  const width = (last - first) / bins;
  let before = total(first);
  for (let bin = 0; bin < bins; bin++) {
    const right = bin + 1 < bins ? first + (bin + 1) * width : last;
    const after = total(right);
    const mean = (after - before) / width;
    xs.push(first + bin * width, right);
    ys.push(mean, mean);
    before = after;
  }
  return { xs, ys };
}
