// What a lane looks like from first to last, in bins of `width` cycles from `origin` on.
// single(i) is called for an interval that is wider than a bin; group(from, to, cycles, count) for the narrow ones in
// a bin, with the cycles of each state. All cycles between first and last are counted once and exactly: a group
// is cut at first and last, and what was not recorded is part of no state. A group of one state goes on as long as
// that state does, because the border to another group of the same colour would only look like a gap.

function firstEndingAfter(end, cycle, low, high) {
  while (low < high) {
    const middle = (low + high) >> 1;
    if (end[middle] <= cycle) low = middle + 1; else high = middle;
  }
  return low;
}

function binIntervals(lane, { start, end, state }, first, last, { origin, width }, { single, group }) {
  const states = new Float64Array(STATE_COUNT);
  const edgeAfter = (cycle) => Math.min(origin + (Math.floor((cycle - origin) / width + 1e-6) + 1) * width, last);
  const isNarrow = (i) => i < lane.to && start[i] < last && end[i] - start[i] < width;
  let i = firstEndingAfter(end, first, lane.from, lane.to);
  let to = first;
  while (i < lane.to && start[i] < last && to < last) {
    if (!isNarrow(i)) { single(i++); continue; }
    const from = Math.max(start[i], to);
    const only = state[i];
    let edge = edgeAfter(from);
    let mixed = false;
    let count = 0;
    to = from;
    states.fill(0);
    while (isNarrow(i) && to < last) {
      const left = Math.max(start[i], to);
      if (left >= edge) {
        if (mixed || state[i] !== only || left > to) break;
        edge = edgeAfter(left);
      }
      const right = Math.min(end[i], edge);
      mixed ||= state[i] !== only || left > to;
      states[state[i]] += right - left;
      if (left === start[i] || left === from) count++;
      to = right;
      if (right === end[i]) i++;
    }
    group(from, to, states, count);
  }
}

// The state that fills a stretch, or -1.
function onlyState(cycles, stretch, width) {
  for (let s = 0; s < STATE_COUNT; s++) if (cycles[stretch * STATE_COUNT + s] === width) return s;
  return -1;
}

// The same for a lane of stretches, each of which holds the cycles of its states: edges are those of the stretches,
// cycles those of all lanes. A stretch that is cut by first or last counts by the part that is inside.
function binStretches(lane, { edges, cycles }, first, last, { width }, { group }) {
  const bins = edges.length - 1;
  const states = new Float64Array(STATE_COUNT);
  let bin = firstEndingAfter(edges, first, 1, bins + 1) - 1;
  while (bin < bins && edges[bin] < last) {
    const from = Math.max(edges[bin], first);
    let to = from;
    const only = onlyState(cycles, lane.from + bin, edges[bin + 1] - edges[bin]);
    let mixed = only < 0;
    states.fill(0);
    do {
      const right = Math.min(edges[bin + 1], last);
      const part = (right - to) / (edges[bin + 1] - edges[bin]);
      const at = (lane.from + bin) * STATE_COUNT;
      for (let s = 0; s < STATE_COUNT; s++) states[s] += part * cycles[at + s];
      to = right;
      bin++;
      const next = bin < bins ? onlyState(cycles, lane.from + bin, edges[bin + 1] - edges[bin]) : -1;
      if (to - from >= width && (mixed || next !== only)) break;
      mixed ||= next !== only;
    } while (bin < bins && to < last);
    group(from, to, states, 0);
  }
}

// Many lanes as one: the cycles of each state, summed over the lanes, in bins of one width that begin at origin.
function binTogether(lanes, data, first, last, { origin, width }, addLane) {
  const bins = Math.max(Math.ceil((last - origin) / width - 1e-6), 1);
  const cycles = new Float64Array(bins * STATE_COUNT);
  const spread = (from, to, state, perCycle) => {
    let bin = Math.min(Math.max(Math.floor((from - origin) / width), 0), bins - 1);
    for (let at = from; at < to; bin++) {
      const right = bin === bins - 1 ? to : Math.min(to, origin + (bin + 1) * width);
      if (right > at) { cycles[bin * STATE_COUNT + state] += (right - at) * perCycle; at = right; }
    }
  };
  for (const lane of lanes) addLane(lane, data, first, last, spread);
  return cycles;
}

function spreadIntervals(lane, { start, end, state }, first, last, spread) {
  for (let i = firstEndingAfter(end, first, lane.from, lane.to); i < lane.to && start[i] < last; i++) {
    spread(Math.max(start[i], first), Math.min(end[i], last), state[i], 1);
  }
}

function spreadStretches(lane, { edges, cycles }, first, last, spread) {
  for (let bin = firstEndingAfter(edges, first, 1, edges.length) - 1; bin < edges.length - 1 && edges[bin] < last; bin++) {
    const at = (lane.from + bin) * STATE_COUNT;
    const whole = edges[bin + 1] - edges[bin];
    for (let s = 0; s < STATE_COUNT; s++) {
      if (cycles[at + s]) spread(Math.max(edges[bin], first), Math.min(edges[bin + 1], last), s, cycles[at + s] / whole);
    }
  }
}
