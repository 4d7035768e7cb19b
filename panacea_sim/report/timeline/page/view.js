// The view: what is drawn for the cycles that are shown, and the controls.

const MOST_BINS = 512;
const MOST_PARTS = 24000;
const ROOMY_PIXELS = 8;
const HASH_DELAY_MS = 200;
const LANE_PIXELS = 17;
const CYCLE_VIEWS = 50;
const CYCLE_LEAST = 200;
const BUSY = 0;
const STATE_COUNT = header.states.length;
const element = (id) => document.getElementById(id);
const inTurn = (colours, i) => colours[i % colours.length];
const figures = () => [models.layers, models.path, models.lanes, models.occupancy, models.bandwidth, models.power, models.utilization];

let data = null;
let models = null;
let rows = [];
let groups = [];
let channels = { name: [], xs: [], ys: [] };
let power = channels;
let bins = MOST_BINS;
let scheduled = false;
let hashTimer = 0;
let searched = { text: "", turn: 0 };
const view = { together: false, curves: "" };

async function load(base64) {
  const columns = await unpack(header.columns, base64);
  data = { states: header.states, kinds: header.kinds, layers: header.layers };
  loadPath(columns);
  loadPathStalls(columns);
  if (header.detail === "intervals") {
    Object.assign(data, intervals(header.lanes, columns.gap, columns.duration));
    data.stretch = { ...intervals(header.stretchLanes, columns.stretchGap, columns.stretchDuration), chain: columns.stretchChain };
    data.kind = columns.kind;
    data.state = columns.kind.map((kind) => header.kinds[kind][0]);
    data.layer = columns.layer;
    data.amounts = Object.fromEntries(header.amounts.map((name) => [name, columns[name]]));
    for (const name of ["m", "n", "k"]) data[name] = sums(columns[name], Int32Array);
  } else {
    data.edges = sums(columns.edges, Float64Array);
    data.cycles = columns.cycles;
    data.begun = sums(columns.begun, Float64Array);
    data.ended = sums(columns.ended, Float64Array);
  }
  const knots = sums(columns.knots, Float64Array);
  data.curves = header.curves.map((curve) => makeCurve(curve, knots, columns.values));
  if (header.power) data.curves = data.curves.map((curve) => (curve.panel === "power" ? asPower(curve, header.power.mwPerUnitPerCycle) : curve));
  if (header.operators) data.curves = [...data.curves.filter(({ panel }) => panel !== "operators"), ...utilization()];
}

// One curve for each kind of operator: from single firings, or from their steps in stretches of time.
function utilization() {
  const { actions, span } = header.operators;
  const working = new Set(header.operators.lanes);
  const lanes = header.lanes.filter(({ name }) => working.has(name));
  return actions.map(({ action, label, count }) => {
    const curve = data.amounts
      ? makeStepsCurve(lanes, data, data.amounts[action])
      : data.curves.find((each) => each.panel === "operators" && each.name === action);
    return { ...asUtilization(curve, count, span), name: label };
  });
}

// Rows from top to bottom: the name of a section, then its lanes.
function layOut() {
  rows = [];
  let section = null;
  const grouped = new Set();
  for (const lane of header.lanes) {
    if (lane.section !== section) rows.push({ label: (section = lane.section).toUpperCase() });
    if (!(view.together && lane.group)) rows.push({ label: lane.name, lanes: [lane] });
    else if (!grouped.has(lane.group)) {
      grouped.add(lane.group);
      rows.push({ label: lane.group, lanes: header.lanes.filter(({ group }) => group === lane.group), together: true });
    }
  }
  const groupNames = [...new Set(header.lanes.map(({ group }) => group).filter(Boolean))].join(", ");
  const { lanes } = models;
  lanes.y_range.setv({ start: rows.length - 0.4, end: -0.6 });
  models.laneAxis.ticker.ticks = rows.map((_, y) => y);
  lanes.height = rows.length * LANE_PIXELS + 8;
  element("together").setAttribute("aria-pressed", view.together);
  element("together").textContent = `${view.together ? "Show" : "Join"} ${groupNames}`;
  element("together").hidden = !groupNames;
  models.mark.visible = false;
  drawLit();
}

function drawLanes(first, last) {
  let drawn = laneParts(first, last, bins);
  // What the browser paints in a moment bounds the number of parts: lanes that are all mixed get wider bins.
  while (drawn.parts.i.length > MOST_PARTS && bins > 1) drawn = laneParts(first, last, (bins = bins >> 1));
  const { parts, columns, pixel } = drawn;
  groups = drawn.groups;
  if (parts.i.length < MOST_PARTS / 3 && bins < MOST_BINS) bins *= 2;
  models.laneSource.data = { ...typed(parts), ...painted(parts, columns, pixel) };
  models.edgeSource.data = typed(borders(parts, columns, pixel, ROOMY_PIXELS * pixel));
}

function drawLayers(first, last) {
  const columns = { left: [], right: [], bottom: [], top: [], middle: [], centre: [], colour: [], edge: [], ink: [], text: [], name: [], i: [] };
  const pixels = models.layers.inner_width || 1000;
  header.layerSpans.forEach((layer, i) => {
    const from = Math.max(layer.start, first), to = Math.min(layer.end, last);
    if (from >= to) return;
    const letters = Math.floor(((to - from) / (last - first)) * pixels / 8);
    const text = letters > 4 || layer.name.length <= letters ? shortened(layer.forms, letters) : "";
    columns.left.push(layer.start); columns.right.push(layer.end); columns.bottom.push(layer.track + 1); columns.top.push(layer.track); columns.centre.push(layer.track + 0.5);
    columns.middle.push((from + to) / 2); columns.colour.push(inTurn(theme().layers, i)); columns.text.push(text);
    columns.edge.push(theme().paper); columns.ink.push(theme().ink);
    columns.name.push(layer.name); columns.i.push(i);
  });
  models.layerSource.data = columns;
}

function curveSets() {
  const sets = new Map();
  const memories = data.curves.filter((curve) => curve.panel === "memories");
  if (memories.length) sets.set("memories", { unit: "bytes", lines: memories.map((curve) => [curve.name, [curve]]) });
  const kinds = new Map();
  const queues = data.curves.filter((curve) => curve.panel === "queues");
  for (const curve of queues) {
    const kind = header.shortNames[curve.name] || curve.name;
    kinds.set(kind, [...(kinds.get(kind) || []), curve]);
  }
  const means = [...kinds].map(([kind, curves]) => [curves.length > 1 ? `${kind} (mean of ${curves.length})` : kind, curves]);
  if (means.length) sets.set("queues", { unit: "tokens", lines: means });
  for (const curve of [...memories, ...queues]) {
    sets.set(curve.name, { unit: curve.panel === "memories" ? "bytes" : "tokens", lines: [[curve.name, [curve]]] });
  }
  return sets;
}

// Names with one curve each, for what is always drawn.
function panelLines(panel) {
  return data.curves.filter((curve) => curve.panel === panel).map((curve) => [curve.name, [curve]]);
}

// Without `most` the axis reaches to the highest value in the view.
function drawCurves(figure, source, lines, first, last, most) {
  const drawn = lines.map(([, curves]) => steps(curves, first, last, MOST_BINS));
  source.data = {
    xs: drawn.map(({ xs }) => Float64Array.from(xs)), ys: drawn.map(({ ys }) => Float64Array.from(ys)),
    name: lines.map(([name]) => name), colour: lines.map((_, i) => inTurn(theme().curves, i)),
  };
  const highest = most || drawn.reduce((top, { ys }) => ys.reduce((a, b) => (b > a ? b : a), top), 0);
  figure.y_range.setv({ start: 0, end: (highest || 1) * 1.35 });
}

// Curves as areas, each upon the ones before it.
function drawAreas(figure, source, lines, colours, first, last) {
  const drawn = lines.map(([, curves]) => steps(curves, first, last, MOST_BINS));
  const areas = { xs: [], ys: [], name: lines.map(([name]) => name), colour: colours };
  let below = new Float64Array(2 * MOST_BINS);
  for (const { xs, ys } of drawn) {
    const above = below.map((value, i) => value + ys[i]);
    areas.xs.push(Float64Array.of(...xs, ...[...xs].reverse()));
    areas.ys.push(Float64Array.of(...above, ...below.reverse()));
    below = above;
  }
  source.data = areas;
  figure.y_range.setv({ start: 0, end: (Math.max(...below) || 1) * 1.35 });
  return { name: areas.name, xs: drawn.map(({ xs }) => xs), ys: drawn.map(({ ys }) => ys) };
}

function drawChannels(first, last) {
  const lines = panelLines("dram");
  const colours = lines.map((_, i) => inTurn(theme().channels, i));
  channels = drawAreas(models.bandwidth, models.bandwidthSource, lines, colours, first, last);
}

function drawPower(first, last) {
  const lines = panelLines("power");
  const colours = lines.map(([name]) => header.power.colours[name]);
  power = drawAreas(models.power, models.powerSource, lines, colours, first, last);
}

function draw() {
  scheduled = false;
  const began = performance.now();
  const { start, end } = models.cycles;
  drawLanes(start, end);
  drawLayers(start, end);
  if (models.path.visible) drawPath(start, end);
  const set = data.sets.get(view.curves);
  if (set) {
    models.occupancyAxis.axis_label = set.unit;
    drawCurves(models.occupancy, models.occupancySource, set.lines, start, end);
  }
  if (models.bandwidth.visible) drawChannels(start, end);
  if (models.power.visible) drawPower(start, end);
  if (header.operators) drawCurves(models.utilization, models.utilizationSource, panelLines("operators"), start, end, 100);
  if (header.detail !== "intervals") drawCommand(start, end);
  // Browsers count changes of the address, and refuse more than a few in a second.
  clearTimeout(hashTimer);
  hashTimer = setTimeout(writeHash, HASH_DELAY_MS);
  panacea.drawn += 1;
  panacea.drawMs = performance.now() - began;
}

// How to see these cycles with every interval.
function drawCommand(first, last) {
  const most = mostIntervals(data, first, last);
  element("detail").hidden = false;
  element("command").textContent = detailCommand(header.command, first, last);
  element("many").textContent = most <= header.mostRows ? "" : ` This view has ${number(most)} of them, and a page holds ${number(header.mostRows)}: zoom in first.`;
}

function schedule() {
  if (!scheduled) { scheduled = true; requestAnimationFrame(draw); }
}

function show(first, last) {
  const [low, high] = header.span;
  const width = Math.min(Math.max(last - first, 4), high - low);
  const start = Math.min(Math.max(first, low), high - width);
  models.cycles.setv({ start, end: start + width });
}

// The view is in the part of the address behind #, so that a link leads back to it.
function writeHash() {
  const { start, end } = models.cycles;
  const hash = `#x=${start.toFixed(2)}:${end.toFixed(2)}&joined=${Number(view.together)}&curves=${encodeURIComponent(view.curves)}`;
  if (hash === location.hash) return;
  // Inside of a report or a notebook the page has no address of its own.
  try { history.replaceState(null, "", hash); } catch { /* nothing to link to */ }
}

function readHash() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const problems = [];
  view.together = parts.get("joined") === "1";
  const curves = parts.get("curves");
  if (data.sets.has(curves)) view.curves = curves;
  else if (curves) problems.push(`The link asks for the occupancy of ${curves}, which is not on this page.`);
  element("curves").value = view.curves;
  layOut();
  if (parts.has("x")) {
    const { first, last, problem } = linkedCycles(parts.get("x"), header.span);
    if (problem) problems.push(problem);
    show(first, last);
  }
  say(problems.join(" "));
  schedule();
}

function say(text) { element("found").textContent = text; }

function markRows(names, start, end) {
  const ys = rows.flatMap((row, y) => (row.lanes && row.lanes.some((lane) => names.has(lane.name)) ? [y] : []));
  models.mark.setv({ left: start, right: end, top: ys[0] - 0.5, bottom: ys[ys.length - 1] + 0.5, visible: true });
}

function search(text) {
  searched = { text, turn: text === searched.text ? searched.turn + 1 : 0 };
  const wanted = text.trim();
  if (!wanted) return say("");
  const asked = parseSearch(wanted);
  const lanes = asked ? (asked.name ? named(header.lanes, asked.name) : header.lanes) : [];
  if (lanes.length && asked.name && view.together && lanes[0].group) { view.together = false; layOut(); schedule(); }
  const names = new Set(lanes.map((lane) => lane.name));
  if (lanes.length && !asked.tile) {
    markRows(names, ...header.span);
    return say(`${lanes[0].name} is marked.`);
  }
  const isTile = lanes.length > 0;
  const tiles = isTile && header.detail === "intervals" ? findTile(data, lanes, asked.tile) : [];
  const layers = isTile ? [] : findLayers(header.layerSpans, wanted);
  const found = inOrder(wanted, layers, tiles.map((tile) => ({ ...tile, names })), findCycle(parseCycle(wanted), header.span));
  if (found.length) showFound(found, wanted);
  else say(nothingFound(wanted, asked, isTile));
}

function nothingFound(wanted, asked, isTile) {
  const { example } = header;
  if (isTile && header.detail !== "intervals") return "Single tiles are not in this page; --window A:B shows them.";
  const cycle = parseCycle(wanted);
  const noCycle = cycle === null ? "" : ` Cycle ${number(cycle)} is not on this page, which has cycles ${number(header.span[0])} to ${number(header.span[1])}.`;
  if (isTile) return `No firing of ${wanted} is recorded here.${noCycle}`;
  if (noCycle) return noCycle.trim();
  if (asked) return `No component or layer ${asked.name}: the components are ${header.lanes.map(({ name }) => name).join(", ")}.`;
  return `Give a component (${example}), a tile (m,n,k), both (${example} 4,0,2), a cycle (12,345) or a layer.`;
}

// What a place is called.
function placeText({ cycle, layer, name }, wanted) {
  if (cycle !== undefined) return `Cycle ${number(cycle)}`;
  return name === undefined ? `${wanted} in ${data.layers[layer] || "no layer"}` : `Layer ${name}`;
}

// One of the places that were found, the next one each time.
function showFound(found, wanted) {
  const turn = searched.turn % found.length;
  const place = found[turn];
  const { start, end } = place;
  const margin = place.cycle === undefined ? Math.max(0.1 * (end - start), 2) : cycleMargin();
  show(start - margin, end + margin);
  markRows(place.names || new Set(header.lanes.map(({ name }) => name)), start, end);
  const which = found.length > 1 ? ` (${turn + 1} of ${found.length}, Enter for the next)` : "";
  say(`${placeText(place, wanted)}${place.cycle === undefined ? `: ${span(start, end)}` : " is marked."}${which}`);
}

// A cycle alone is shown with what is around it: as much as is in view, but no more than a fiftieth of all.
function cycleMargin() {
  const whole = header.span[1] - header.span[0];
  return Math.min(models.cycles.end - models.cycles.start, Math.max(whole / CYCLE_VIEWS, CYCLE_LEAST)) / 2;
}

function fillControls() {
  element("legend").replaceChildren(...header.seen.map((s) => makeElement("span", {}, swatch(header.colours[s]), header.states[s])));
  fillPathLegend();
  element("notes").replaceChildren(...header.notes.map((note) => Object.assign(document.createElement("li"), { textContent: note })));
  element("curves").replaceChildren(...[...data.sets.keys()].map((name) => new Option(name, name)));
  const placeholder = `${header.example}, tile m,n,k, cycle or layer, then Enter`;
  element("search").placeholder = placeholder;
  // A digit is wider than letters are on average.
  element("search").style.width = `${0.85 * placeholder.length}ch`;
  element("curves").disabled = !data.sets.size;
  element("together").onclick = () => { view.together = !view.together; layOut(); schedule(); };
  element("curves").onchange = () => { view.curves = element("curves").value; schedule(); };
  element("search").onkeydown = (event) => { if (event.key === "Enter") search(element("search").value); };
  element("cycle").onkeydown = (event) => { if (event.key === "Enter") goToCycle(element("cycle").value); };
  fillStalls();
  fillKeys();
  addEventListener("hashchange", readHash);
  document.addEventListener("keydown", onKey);
  document.addEventListener("pointerdown", onRangeDrag, { capture: true });
  element("clearRange").onclick = clearRange;
  document.addEventListener("wheel", onWheel, { capture: true, passive: false });
  darkScheme.addEventListener("change", () => { paintFigures(); fillPathLegend(); schedule(); });
}

async function start(given) {
  models = given;
  await loading;
  data.sets = curveSets();
  view.curves = data.sets.keys().next().value || "";
  fillControls();
  models.occupancy.visible = data.sets.size > 0;
  paintFigures();
  readHash();
  models.cycles.properties.start.change.connect(schedule);
  models.cycles.properties.end.change.connect(schedule);
  panacea.ready = true;
}

const panacea = {
  ready: false,
  drawn: 0,
  drawMs: 0,
  start,
  show,
  search,
  laneLabel: (y) => (rows[y] ? rows[y].label : ""),
  rows: () => rows.map(({ label, lanes }) => ({ label, lane: Boolean(lanes) })),
  parts: () => models.laneSource.data,
  curvesDrawn: () => [models.occupancySource.data, channels, models.utilizationSource.data],
  powerDrawn: () => power,
  channelAreas: () => models.bandwidthSource.data,
  describeChannels: (cycle) => areasText(channels, cycle, "bytes/cycle"),
  describePower: (cycle) => `${areasText(power, cycle, "mW")}\ntable ${header.power.table}`,
  describe: (i) => {
    if (i < 0) return groupText(data, groups[-i - 1]);
    return intervalText(data, header.lanes.find((lane) => i >= lane.from && i < lane.to), i);
  },
  cycleBelow,
  describePath,
  clickPath,
  clickLanes,
  chooseRange,
  lit: () => lit,
  pathStalls: () => pathStalls,
  pathParts: () => models.pathSource.data,
  describeLayer: (i) => `layer ${header.layerSpans[i].name}\n${span(header.layerSpans[i].start, header.layerSpans[i].end)}`,
  models: () => models,
};
