// The view: what is drawn of every run for the part of the axis that is shown, and the switch of the alignment.

const MOST_BINS = 512;
const HALF = 0.42;
const LANE_PIXELS = 15;
const GROUP_GAP = 0.7;
const STATE_COUNT = header.states.length;
const LABELS = { cycle: "cycles", share: "share of the run", layer: "cycles, layer i of all runs at one place" };
const element = (id) => document.getElementById(id);
const inTurn = (colours, i) => colours[i % colours.length];
const figures = () => [models.layers, models.lanes];

let models = null;
let columns = null;
let rows = [];
let groups = [];
let layersDrawn = [];
let scheduled = false;
const view = { alignment: header.align, last: 1 };

// Each run has its tracks of layers below those of the runs before it.
header.runs.reduce((track, run) => (run.track = track) + run.tracks, 0);

async function load(base64) {
  columns = await unpack(header.columns, base64);
  header.runs.forEach((run, i) => { run.edges = sums(columns[`edges${i}`], Float64Array); });
}

// Rows from top to bottom: a lane for each run, the lanes of a group together.
function layOut() {
  rows = [];
  let y = -GROUP_GAP;
  header.lanes.forEach((lane, i) => {
    const isFirst = i === 0 || header.lanes[i - 1].group !== lane.group;
    if (isFirst) y += GROUP_GAP;
    const { label, isMean } = header.runs[lane.run];
    rows.push({ y, lane, label: `${isFirst ? `${lane.group}  ` : ""}${label}${isMean ? " (mean)" : ""}` });
    y += 1;
  });
  models.lanes.y_range.setv({ start: y - 0.4, end: -0.6 });
  models.laneAxis.ticker.ticks = rows.map((row) => row.y);
  models.lanes.height = Math.max(y, 1) * LANE_PIXELS + 8;
}

// Puts all runs on the axis anew, and shows all of it.
function align(alignment) {
  view.alignment = alignment;
  view.last = lastPlace(header.runs, alignment);
  header.runs.forEach((run) => { run.placed = placed(run, run.edges, alignment); });
  for (const row of rows) row.cycles = laneCycles(row.lane, header.runs[row.lane.run].placed, columns.cycles, STATE_COUNT);
  const { placeAxis, cycles } = models;
  placeAxis.axis_label = LABELS[alignment];
  placeAxis.formatter.format = alignment === "share" ? "0.[00]%" : "0,0";
  const least = view.last * 1e-6;
  cycles.setv({ bounds: [0, view.last], min_interval: least, reset_start: 0, reset_end: view.last });
  cycles.setv({ start: 0, end: view.last });
  for (const button of document.querySelectorAll("#align button")) button.setAttribute("aria-pressed", button.value === alignment);
  schedule();
}

function drawLanes(first, last) {
  const parts = { left: [], right: [], bottom: [], top: [], state: [], i: [] };
  const drawn = [];
  const pixel = (last - first) / (models.lanes.inner_width || 1000);
  const width = Math.max(Math.round((last - first) / MOST_BINS / pixel), 1) * pixel;
  groups = [];
  rows.forEach((row, lane) => {
    const { placed } = header.runs[row.lane.run];
    const group = (from, to, cycles) => {
      groups.push({ row, from, to, cycles: cycles.slice() });
      const firstPart = parts.i.length;
      let base = row.y + HALF;
      for (let s = 0; s < STATE_COUNT; s++) {
        if (!cycles[s]) continue;
        const height = (2 * HALF * cycles[s]) / (to - from);
        parts.left.push(from); parts.right.push(to); parts.bottom.push(base); parts.top.push(base - height);
        parts.state.push(s); parts.i.push(groups.length - 1);
        base -= height;
      }
      const isFull = base - (row.y - HALF) < TOUCHING;
      if (parts.i.length > firstPart) drawn.push({ lane, first: firstPart, last: parts.i.length, left: from, right: to, top: base, isFull });
    };
    for (const [from, to] of solid(placed, width)) {
      const part = placed.edges.subarray(from, to + 1);
      if (part[0] < last && part[to - from] > first) binStretches({ from }, { edges: part, cycles: row.cycles }, first, last, { width }, { group });
    }
  });
  const typed = Object.fromEntries(Object.entries(parts).map(([name, values]) => [name, Float64Array.from(values)]));
  models.laneSource.data = { ...typed, ...painted(parts, drawn, pixel) };
}

function drawLayers(first, last) {
  const band = { left: [], right: [], bottom: [], top: [], middle: [], centre: [], colour: [], edge: [], ink: [], text: [], name: [], i: [] };
  const pixels = models.layers.inner_width || 1000;
  layersDrawn = [];
  header.runs.forEach((run) => {
    layerPlaces(run, view.alignment).forEach(([left, right], number) => {
      const layer = run.layers[number];
      const track = run.track + layer.track;
      const from = Math.max(left, first), to = Math.min(right, last);
      if (from >= to) return;
      const letters = Math.floor(((to - from) / (last - first)) * pixels / 8);
      band.left.push(left); band.right.push(right); band.bottom.push(track + 0.95); band.top.push(track + 0.05);
      band.middle.push((from + to) / 2); band.centre.push(track + 0.5); band.colour.push(inTurn(theme().layers, number));
      band.edge.push(theme().paper); band.ink.push(theme().ink); band.name.push(layer.name); band.i.push(layersDrawn.length);
      band.text.push(letters > 4 || layer.name.length <= letters ? shortened(layer.forms, letters) : "");
      layersDrawn.push({ run, layer, number });
    });
  });
  models.layerSource.data = band;
}

function draw() {
  scheduled = false;
  const { start, end } = models.cycles;
  drawLanes(start, end);
  drawLayers(start, end);
  panacea.drawn += 1;
}

function schedule() {
  if (!scheduled) { scheduled = true; requestAnimationFrame(draw); }
}

function show(first, last) {
  const width = Math.min(Math.max(last - first, view.last * 1e-6), view.last);
  const start = Math.min(Math.max(first, 0), view.last - width);
  models.cycles.setv({ start, end: start + width });
}

// What is below the pointer: the cycles are those of the run, the shares those of its part of the axis.
function describe(i) {
  const { row, from, to, cycles } = groups[i];
  const run = header.runs[row.lane.run];
  const known = cycles.reduce((sum, each) => sum + each, 0);
  const shares = header.states
    .map((state, s) => [state, cycles[s]])
    .filter(([, each]) => each > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([state, each]) => `${state} ${percent(each / known)}`);
  const where = run.isMean ? "mean of the whole run" : span(cycleAt(run, from, view.alignment), cycleAt(run, to, view.alignment));
  return [`${run.label}: ${row.lane.group}`, where, ...shares].join("\n");
}

function describeLayer(i) {
  const { run, layer, number } = layersDrawn[i];
  return `${run.label}: layer ${number + 1}, ${layer.name}\n${span(layer.start, layer.end)}`;
}

function fillControls() {
  element("legend").replaceChildren(...header.seen.map((s) => {
    const entry = document.createElement("span");
    const key = document.createElement("i");
    key.style.background = header.colours[s];
    entry.append(key, header.states[s]);
    return entry;
  }));
  for (const button of document.querySelectorAll("#align button")) button.onclick = () => align(button.value);
  document.addEventListener("wheel", onWheel, { capture: true, passive: false });
  darkScheme.addEventListener("change", () => { paintFigures(); schedule(); });
}

async function start(given) {
  models = given;
  await loading;
  fillControls();
  paintFigures();
  layOut();
  align(view.alignment);
  models.cycles.properties.start.change.connect(schedule);
  models.cycles.properties.end.change.connect(schedule);
  panacea.ready = true;
}

const panacea = {
  ready: false,
  drawn: 0,
  start,
  show,
  align,
  laneLabel: (y) => (rows.find((row) => Math.abs(row.y - y) < 1e-6) || { label: "" }).label,
  trackLabel: (y) => header.runs.find(({ track, tracks }) => y < track + tracks).label,
  rows: () => rows.map(({ y, label, lane }) => ({ y, label, run: lane.run, group: lane.group })),
  parts: () => models.laneSource.data,
  layers: () => models.layerSource.data,
  describe,
  describeLayer,
  cycleBelow,
  models: () => models,
};
