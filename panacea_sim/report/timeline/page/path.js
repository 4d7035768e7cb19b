// The critical path as a lane: its stretches, each of which begins where the one before ends.

const PATH_BINS = 512;
const PATH_SHARES = 6;
const LETTER_PIXELS = 7;
const BLACK_IS_READ_BETTER = 0.179;

let path = null;
let pathGroups = [];

function loadPath(columns) {
  const { keys, kinds, start } = header.path;
  const end = Float64Array.from(columns.pathDuration);
  let cycle = start;
  for (let i = 0; i < end.length; i++) end[i] = cycle += end[i];
  const from = Float64Array.from(end, (_, i) => (i ? end[i - 1] : start));
  const state = Uint8Array.from(columns.pathKey, (key) => kinds.indexOf(keys[key][1]));
  path = { start: from, end, state, key: columns.pathKey, states: kinds, lane: { from: 0, to: end.length } };
}

const pathColour = (kind) => theme().curves[header.path.curves[kind]];

function drawPath(first, last) {
  const grid = pixelGrid(first, last, PATH_BINS, models.path.inner_width || 1000);
  const { parts, columns, groups, row } = partCollector(path);
  binIntervals(path.lane, path, first, last, grid, row(0, "critical path", 1));
  pathGroups = groups;
  models.pathEdges.data = typed(borders(parts, columns, grid.pixel, ROOMY_PIXELS * grid.pixel));
  models.pathLabels.data = pathLabels(parts, grid.pixel, first, last);
  models.pathSource.data = { ...typed(parts), ...painted(parts, columns, grid.pixel), colour: parts.state.map(pathColour) };
}

// Black or white, whichever is read better on a colour (relative luminance of WCAG).
function inkOn(colour) {
  const linear = (byte) => (byte <= 10 ? byte / 3294.6 : ((byte / 255 + 0.055) / 1.055) ** 2.4);
  const [red, green, blue] = [1, 3, 5].map((at) => linear(parseInt(colour.slice(at, at + 2), 16)));
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > BLACK_IS_READ_BETTER ? "#000000" : "#ffffff";
}

// The components of stretches that have room for their names; where neighbours touch, colours alone do not tell them apart.
function pathLabels(parts, pixel, first, last) {
  const labels = { x: [], text: [], ink: [] };
  parts.i.forEach((i, part) => {
    if (i < 0) return;
    const from = Math.max(parts.left[part], first), to = Math.min(parts.right[part], last);
    const [name] = header.path.keys[path.key[i]];
    if (to - from < (LETTER_PIXELS * name.length + LETTER_PIXELS) * pixel) return;
    labels.x.push((from + to) / 2); labels.text.push(name); labels.ink.push(inkOn(pathColour(parts.state[part])));
  });
  return labels;
}

function fillPathLegend() {
  const seen = header.path.kinds.map((kind, k) => [kind, k]).filter(([kind]) => header.path.keys.some((key) => key[1] === kind));
  element("pathLegend").hidden = !seen.length;
  element("pathLegend").replaceChildren("Critical path:", ...seen.map(([kind, k]) => makeElement("span", {}, swatch(pathColour(k)), kind)));
}

// The stretch of the path in a cycle, or -1.
function pathAt(cycle) {
  const i = firstEndingAfter(path.end, cycle, 0, path.lane.to);
  return i < path.lane.to && path.start[i] <= cycle ? i : -1;
}

const keyText = ([component, kind, cause]) => `${component} ${kind}${cause ? ` (${cause})` : ""}`;

// The cycles of the path between two cycles by key, most first, as [key, cycles].
function pathSums(first, last) {
  const sums = new Map();
  for (let i = firstEndingAfter(path.end, first, 0, path.lane.to); i < path.lane.to && path.start[i] < last; i++) {
    const cycles = Math.min(path.end[i], last) - Math.max(path.start[i], first);
    sums.set(path.key[i], (sums.get(path.key[i]) || 0) + cycles);
  }
  return [...sums].map(([key, cycles]) => [header.path.keys[key], cycles]).sort((a, b) => b[1] - a[1]);
}

function describePath(i) {
  if (i >= 0) {
    const [component, kind, cause] = header.path.keys[path.key[i]];
    return [`critical path: ${component}`, kind, cause && `cause ${cause}`, span(path.start[i], path.end[i])].filter(Boolean).join("\n");
  }
  const { from, to, count } = pathGroups[-i - 1];
  const sums = pathSums(from, to);
  const lines = sums.slice(0, PATH_SHARES).map(([key, cycles]) => `${keyText(key)} ${percent(cycles / (to - from))}`);
  const others = sums.slice(PATH_SHARES).reduce((sum, [, cycles]) => sum + cycles, 0);
  if (others) lines.push(`others ${percent(others / (to - from))}`);
  return [`critical path: ${number(count)} stretches`, span(from, to), ...lines].join("\n");
}

// A click on the path leads to where it is: the component that serves, the channel of a transfer or of a device.
function clickPath(cycle) {
  leaveFocus();
  const i = pathAt(cycle);
  if (i < 0) return;
  const [component, kind, cause] = header.path.keys[path.key[i]];
  const names = new Set([kind === "transfer" ? cause : component]);
  const margin = Math.max(0.1 * (path.end[i] - path.start[i]), 2);
  if (path.end[i] - path.start[i] < visiblePixels(3)) show(path.start[i] - 4 * margin, path.end[i] + 4 * margin);
  if (showLanes(names)) markRows(names, path.start[i], path.end[i]);
  else models.mark.visible = false;
  say(`Critical path: ${keyText([component, kind, cause])}, ${span(path.start[i], path.end[i])}`);
}
