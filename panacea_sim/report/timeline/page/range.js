// Cycles that are chosen by dragging, and their totals: by state and cause for each group of components, and the path.

const MOST_CAUSES = 4;

let chosenRange = null;

const groupName = (lane) => lane.group || lane.name;

// A queue or store by the name that all alike share, so that members of a group add up.
const sharedCause = (header, cause) => header.shortNames[cause] || cause;

// The cycles of intervals between two cycles, as {group, members, rows: [{state, cause, cycles}]}, most first.
function totalsOfIntervals(header, data, first, last) {
  const groups = new Map();
  for (const lane of header.lanes) {
    const name = groupName(lane);
    if (!groups.has(name)) groups.set(name, { group: name, members: 0, kinds: new Float64Array(header.kinds.length) });
    const found = groups.get(name);
    found.members += 1;
    for (let i = firstEndingAfter(data.end, first, lane.from, lane.to); i < lane.to && data.start[i] < last; i++) {
      found.kinds[data.kind[i]] += Math.min(data.end[i], last) - Math.max(data.start[i], first);
    }
  }
  return [...groups.values()].map(({ group, members, kinds }) => {
    const sums = new Map();
    kinds.forEach((cycles, kind) => {
      if (!cycles) return;
      const [state, cause] = header.kinds[kind];
      const key = `${state} ${sharedCause(header, cause)}`;
      const known = sums.get(key) || { state, cause: sharedCause(header, cause), cycles: 0 };
      sums.set(key, { ...known, cycles: known.cycles + cycles });
    });
    return { group, members, rows: [...sums.values()].sort((a, b) => b.cycles - a.cycles) };
  });
}

// The same where only the states of stretches are known: a stretch that is cut counts in proportion.
function totalsOfStretches(header, data, first, last) {
  const groups = new Map();
  for (const lane of header.lanes) {
    const name = groupName(lane);
    if (!groups.has(name)) groups.set(name, { group: name, members: 0, states: new Float64Array(STATE_COUNT) });
    const found = groups.get(name);
    found.members += 1;
    spreadStretches(lane, data, first, last, (from, to, state, perCycle) => { found.states[state] += (to - from) * perCycle; });
  }
  return [...groups.values()].map(({ group, members, states }) => {
    const rows = [...states].map((cycles, state) => ({ state, cause: "", cycles })).filter(({ cycles }) => cycles > 0);
    return { group, members, rows: rows.sort((a, b) => b.cycles - a.cycles) };
  });
}

// The causes of a state beyond the first ones, as one row.
function shortenedRows(rows) {
  const seen = new Map();
  const kept = [];
  for (const row of rows) {
    const known = seen.get(row.state) || { count: 0, others: null };
    known.count += 1;
    seen.set(row.state, known);
    if (known.count <= MOST_CAUSES) kept.push(row);
    else if (known.others) { known.others.cycles += row.cycles; known.others.count += 1; }
    else kept.push((known.others = { ...row, count: 1, cause: "" }));
  }
  return kept.map(({ count, ...row }) => (count ? { ...row, cause: `${count} other${count > 1 ? "s" : ""}` } : row));
}

function makeElement(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function swatch(colour) {
  const key = document.createElement("i");
  key.style.background = colour;
  return key;
}

function totalsRow(key, cause, cycles, all) {
  return makeElement("tr", {},
    key, makeElement("td", { textContent: cause }),
    makeElement("td", { textContent: number(cycles) }), makeElement("td", { textContent: percent(cycles / all) }));
}

function titleRow(text) {
  return makeElement("tr", {}, makeElement("th", { textContent: text, colSpan: 4 }));
}

function totalsRows(first, last) {
  const shown = [];
  if (path.lane.to) {
    shown.push(titleRow("critical path"));
    for (const [[component, kind, cause], cycles] of pathSums(first, last).slice(0, 2 * MOST_CAUSES)) {
      const colour = pathColour(header.path.kinds.indexOf(kind));
      shown.push(totalsRow(makeElement("td", {}, swatch(colour), `${component} ${kind}`), cause, cycles, last - first));
    }
  }
  const totals = header.detail === "intervals" ? totalsOfIntervals : totalsOfStretches;
  for (const { group, members, rows } of totals(header, data, first, last)) {
    shown.push(titleRow(group));
    for (const { state, cause, cycles } of shortenedRows(rows)) {
      shown.push(totalsRow(makeElement("td", {}, swatch(header.colours[state]), header.states[state]), cause, cycles, members * (last - first)));
    }
  }
  return shown;
}

// Whole cycles that are on the page, at least one.
function wholeRange(first, last, [low, high]) {
  const from = Math.min(Math.max(Math.round(Math.min(first, last)), low), high - 1);
  return [from, Math.max(Math.min(Math.round(Math.max(first, last)), high), from + 1)];
}

function chooseRange(first, last) {
  const [from, to] = (chosenRange = wholeRange(first, last, header.span));
  markRange(from, to);
  element("rangeText").textContent = `Totals, ${span(from, to)}`;
  element("totals").replaceChildren(...totalsRows(from, to));
  element("range").hidden = false;
  element("range").scrollTop = 0;
  showAside(true);
}

function markRange(left, right) {
  models.chosen.setv({ left, right, visible: true });
}

function clearRange() {
  chosenRange = null;
  models.chosen.visible = false;
  element("range").hidden = true;
  showAside(!element("stalls").hidden);
}

// Shift + drag over a figure chooses cycles, whatever tool is active.
function onRangeDrag(event) {
  if (!event.shiftKey || event.button !== 0) return;
  const from = cycleBelow(event);
  if (from === null) return;
  event.preventDefault();
  event.stopPropagation();
  const move = (moved) => {
    const to = cycleBelow({ clientX: moved.clientX, clientY: event.clientY });
    moved.stopPropagation();
    if (to !== null) markRange(Math.min(from, to), Math.max(from, to));
    return to;
  };
  const end = (ended) => {
    removeEventListener("pointermove", move, true);
    removeEventListener("pointerup", end, true);
    const to = ended.type === "pointerup" ? move(ended) : null;
    const isDrag = Math.abs(ended.clientX - event.clientX) > CLICK_PIXELS;
    if (to !== null && isDrag) chooseRange(from, to); else clearRange();
  };
  addEventListener("pointermove", move, true);
  addEventListener("pointerup", end, true);
}
