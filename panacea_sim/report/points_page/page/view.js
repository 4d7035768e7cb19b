// The view: which measures are shown, which points are chosen, and which one is opened.

const element = (id) => document.getElementById(id);
const titleOf = ({ text, sign }) => (sign < 0 ? `${text} (more is better)` : text);
const short = (value) => Math.abs(value) >= 1e9 || (value && Math.abs(value) < 1e-3) ? value.toPrecision(3) : value.toLocaleString("en-US", { maximumFractionDigits: 4 });
const FRONT = { size: 9, alpha: 0.95 };
const OTHER = { size: 6, alpha: 0.4 };

let models = null;
const goals = header.measures.flatMap(({ sign }, number) => (sign ? [number] : []));
const view = {
  x: goals.length > 1 ? goals[0] : 0,
  y: goals[goals.length > 1 ? 1 : 0],
  chosen: new Set(),
  opened: null,
  shares: [],
  rows: [],
  isClicked: false,
  sort: { number: -1, isDown: false },
};

// All pictures and the table follow what Bokeh holds as selected.
function choose(points) {
  models.source.selected.indices = points;
}

function onChosen() {
  const { indices } = models.source.selected;
  const isSame = indices.length === view.chosen.size && indices.every((i) => view.chosen.has(i));
  if (isSame) return;
  view.chosen = new Set(indices);
  if (view.isClicked) markRows();
  else fillTable();
  if (indices.length === 1) open(indices[0]);
}

function describe(i) {
  const lines = header.measures.map(({ text, texts }) => `${text}: ${texts[i]}`);
  return [`point ${header.points[i].index}`, ...lines].join("\n");
}

function fillChoice(side) {
  const choice = element(side);
  choice.replaceChildren(...header.measures.map(({ text }, number) => new Option(text, number)));
  choice.value = view[side];
  choice.onchange = () => { view[side] = Number(choice.value); drawScatter(); };
}

function paint() {
  const { curves } = theme();
  const colour = header.points.map(({ isFront }) => curves[isFront ? 1 : 0]);
  models.source.data = { ...models.source.data, colour };
  paintPlots([models.scatter, models.parallel]);
  drawEnds();
}

function start(given) {
  models = given;
  const look = (name) => header.points.map(({ isFront }) => (isFront ? FRONT : OTHER)[name]);
  const nothing = header.points.map(() => NaN);
  const i = header.points.map((_, number) => number);
  const colour = header.points.map(() => theme().curves[0]);
  models.source.data = { x: nothing, y: nothing, xs: i.map(() => []), ys: i.map(() => []), colour, size: look("size"), alpha: look("alpha"), i };
  fillChoice("x");
  fillChoice("y");
  fillTitles();
  drawScatter();
  drawParallel();
  paint();
  fillTable();
  models.source.selected.properties.indices.change.connect(onChosen);
  element("front").onclick = () => choose(i.filter((number) => header.points[number].isFront));
  element("none").onclick = () => choose([]);
  darkScheme.addEventListener("change", paint);
  panacea.ready = true;
}

const panacea = {
  ready: false,
  start,
  tick,
  brush,
  choose,
  describe,
  measureLabel: (number) => header.measures[number]?.text ?? "",
  chosen: () => [...view.chosen],
  models: () => models,
};
