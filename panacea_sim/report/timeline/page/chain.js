// What a stall waits for: from the stalled component over the other ends of its stalls to what is to blame.

const STALLS = new Set(["starved", "blocked", "contended", "waiting"]);
const CLICK_PIXELS = 3;
const LEAST_PIXELS = 12;
const MOST_BLAMED = 3;
const LEAST_MARGIN = 10;

const laneNumber = (name) => header.lanes.findIndex((lane) => lane.name === name);

// The interval of a lane in a cycle, or -1; `lane` is one of header.lanes or of header.stretchLanes.
function intervalAt({ start, end }, lane, cycle) {
  const i = firstEndingAfter(end, cycle, lane.from, lane.to);
  return i < lane.to && start[i] <= cycle ? i : -1;
}

const isStall = (data, i) => STALLS.has(data.states[data.state[i]]);

// The chain of a lane's stall in a cycle: its members from the stalled one on, as lane and interval; the end, as kind,
// name and cause; the stretch of the stall in which it stays the same; and the interval of a channel that is to blame,
// or null. Null where there is no stall, or nothing is known of it.
function chainAt(header, data, lane, cycle) {
  const stretch = intervalAt(data.stretch, header.stretchLanes[lane], cycle);
  if (stretch < 0) return null;
  const [hops, kind, name, cause] = header.chains[data.stretch.chain[stretch]];
  const named = (wanted) => header.lanes.findIndex((each) => each.name === wanted);
  const inLane = (number) => ({ lane: number, i: intervalAt(data, header.lanes[number], cycle) });
  const members = [inLane(lane)];
  for (let hop = 0; hop < hops; hop++) {
    const other = named(data.kinds[data.kind[members[hop].i]][2]);
    const next = other < 0 ? null : inLane(other);
    if (!next || next.i < 0) break;
    members.push(next);
  }
  const channel = kind === "busy" ? -1 : named(kind === "transfer" ? cause : name);
  const blamed = channel < 0 ? null : inLane(channel);
  return {
    members,
    end: { kind, name, cause, isKnown: hops >= 0 },
    from: data.stretch.start[stretch],
    to: data.stretch.end[stretch],
    blamed: blamed && blamed.i >= 0 ? blamed : null,
  };
}

// "pea3 starved <- dispatcher <- w_dma behind o_dma on dram0", as `str(Chain)` of explanation.py says it.
function chainText(names, state, { kind, name, cause, isKnown }) {
  const text = [`${names[0]} ${state}`, ...names.slice(1)].join(" <- ") + (isKnown ? "" : " <- …");
  if (kind === "busy") return isKnown ? `${text} busy` : `${text} <- ${name} busy`;
  if (kind === "latency") return `${text} <- latency of ${name}`;
  if (kind === "device") return `${text} <- ${cause} of ${name}`;
  return name === names[names.length - 1] && isKnown ? `${text}, transfer on ${cause}` : `${text} behind ${name} on ${cause}`;
}

// Cycles of a whole stall by what is to blame, in the words of an end, most first.
function blame(header, data, lane, i) {
  const words = ([, kind, name, cause]) => ({ busy: `${name} busy`, transfer: `transfer of ${name} on ${cause}`, device: `${cause} of ${name}`, latency: `latency of ${name}` })[kind];
  const sums = new Map();
  const { start, end, chain } = data.stretch;
  const { from, to } = header.stretchLanes[lane];
  for (let s = firstEndingAfter(end, data.start[i], from, to); s < to && start[s] < data.end[i]; s++) {
    const text = words(header.chains[chain[s]]);
    sums.set(text, (sums.get(text) || 0) + end[s] - start[s]);
  }
  return [...sums].sort((a, b) => b[1] - a[1]);
}

let lit = null;

const visiblePixels = (count) => (count * (models.cycles.end - models.cycles.start)) / (models.lanes.inner_width || 1000);

// What a click means: the stall below it, or, where intervals are narrower than the pointer, the longest one nearby.
function stallBelow(lanes, cycle) {
  const near = visiblePixels(CLICK_PIXELS);
  let best = null;
  for (const lane of lanes) {
    const number = laneNumber(lane.name);
    const at = intervalAt(data, lane, cycle);
    if (at >= 0 && isStall(data, at) && lanes.length === 1 && data.end[at] - data.start[at] >= near) return { lane: number, i: at, cycle };
    for (let i = firstEndingAfter(data.end, cycle - near, lane.from, lane.to); i < lane.to && data.start[i] < cycle + near; i++) {
      const length = data.end[i] - data.start[i];
      if (isStall(data, i) && (!best || length > best.length)) best = { lane: number, i, length };
    }
  }
  if (!best) return null;
  const inside = Math.min(Math.max(cycle, data.start[best.i]), data.end[best.i] - 1);
  return { ...best, cycle: Math.floor(inside) };
}

function clickLanes(cycle, y) {
  leaveFocus();
  const row = rows[Math.round(y)];
  if (!row || !row.lanes) return clearLit();
  if (header.detail !== "intervals") return say("Single stalls are not in this page; --window A:B shows them, and what they wait for.");
  const at = Math.floor(cycle);
  const found = stallBelow(row.lanes, at);
  if (found) {
    lightChain(found.lane, found.cycle);
    return lit && bringIntoView(lit.chain);
  }
  clearLit();
  const i = row.lanes.length === 1 ? intervalAt(data, row.lanes[0], at) : -1;
  return say(i < 0 ? "" : `${row.label} is ${data.states[data.state[i]]} in cycle ${number(at)}: a click on a stall shows what it waits for.`);
}

// Lights up the chain of a stall in a cycle, and scrolls to what is to blame.
function lightChain(lane, cycle) {
  const i = intervalAt(data, header.lanes[lane], cycle);
  const chain = header.chains.length && i >= 0 ? chainAt(header, data, lane, cycle) : null;
  if (!chain) {
    clearLit();
    return say(`What ${header.lanes[lane].name} waits for in cycle ${number(cycle)} is not known on this page.`);
  }
  lit = { lane, i, cycle, chain, members: chain.blamed ? [...chain.members, chain.blamed] : chain.members };
  const cause = lit.members[lit.members.length - 1];
  showLanes(new Set(lit.members.map((each) => header.lanes[each.lane].name)));
  models.mark.visible = false;
  drawLit();
  scrollToLane(cause.lane);
  tellChain();
  markListed();
  return undefined;
}

function tellChain() {
  const { lane, i, chain } = lit;
  const names = chain.members.map((each) => header.lanes[each.lane].name);
  const state = data.states[data.state[i]];
  const sums = blame(header, data, lane, i);
  const all = data.end[i] - data.start[i];
  const shares = sums.length < 2 ? "" : ` The whole stall, ${number(all)} cycles: ${sums.slice(0, MOST_BLAMED).map(([text, cycles]) => `${text} ${percent(cycles / all)}`).join(", ")}${sums.length > MOST_BLAMED ? ", …" : "."}`;
  say(`${chainText(names, state, chain.end)}: ${span(chain.from, chain.to)}.${shares}`);
}

// The view stays, unless the stretch is too narrow to be seen there; what is to blame is in the same cycles.
function bringIntoView({ from, to }) {
  if (to - from >= visiblePixels(LEAST_PIXELS)) return;
  const margin = 2 * Math.max(to - from, LEAST_MARGIN);
  show(from - margin, to + margin);
}

// The longest stretch of a stall, as its middle.
function longestStretch(lane, start, end) {
  const { stretch } = data;
  const { from, to } = header.stretchLanes[lane];
  let best = -1;
  for (let s = firstEndingAfter(stretch.end, start, from, to); s < to && stretch.start[s] < end; s++) {
    if (best < 0 || stretch.end[s] - stretch.start[s] > stretch.end[best] - stretch.start[best]) best = s;
  }
  return best < 0 ? start : Math.floor((stretch.start[best] + stretch.end[best]) / 2);
}

// Bokeh takes the focus when it is clicked, and shows that with a frame; keys are those of the page.
function leaveFocus() {
  if (document.activeElement) document.activeElement.blur();
}

function drawLit() {
  const parts = { left: [], right: [], bottom: [], top: [] };
  const add = (left, right, bottom, top) => {
    parts.left.push(left); parts.right.push(right); parts.bottom.push(bottom); parts.top.push(top);
  };
  if (lit) {
    const ys = lit.members.map(({ lane }) => rowOf(header.lanes[lane].name));
    lit.members.forEach(({ i }, k) => { if (ys[k] >= 0) add(data.start[i], data.end[i], ys[k] + HALF, ys[k] - HALF); });
    // From lane to lane, where the stall was clicked; not through the lanes.
    const x = lit.cycle + 0.5;
    ys.slice(1).forEach((y, k) => {
      const [high, low] = [Math.min(y, ys[k]), Math.max(y, ys[k])];
      if (high >= 0 && low > high) add(x, x, low - HALF, high + HALF);
    });
  }
  models.litSource.data = typed(parts);
}

function clearLit() {
  lit = null;
  drawLit();
  markListed();
}

const rowOf = (name) => rows.findIndex((row) => row.lanes && row.lanes.some((lane) => lane.name === name));

// Takes a joined row apart if one of these lanes is in it; says whether they are lanes at all.
function showLanes(names) {
  const wanted = header.lanes.filter((lane) => names.has(lane.name));
  if (view.together && wanted.some((lane) => lane.group)) { view.together = false; layOut(); schedule(); }
  return wanted.length > 0;
}

function scrollToLane(lane) {
  const figure = Bokeh.index.find_one(models.lanes);
  const y = rowOf(header.lanes[lane].name);
  if (!figure || y < 0) return;
  const { top } = figure.el.getBoundingClientRect();
  const at = top + figure.frame.y_scale.compute(y);
  if (at < 40 || at > innerHeight - 40) scrollBy({ top: at - innerHeight / 2 });
}
