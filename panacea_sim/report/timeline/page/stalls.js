// The stalls that lie on the critical path: a list, longest first, and one after the other in time.

let pathStalls = [];
let listed = -1;

function loadPathStalls(columns) {
  const { kinds } = header.pathStalls;
  pathStalls = Array.from(columns.stallLane, (lane, i) => {
    const [state, cause, other] = kinds[columns.stallKind[i]];
    const start = columns.stallStart[i];
    return { number: i, lane, start, end: start + columns.stallDuration[i], state, cause, other };
  });
}

const inTime = () => [...pathStalls].sort((a, b) => a.start - b.start || a.end - b.end || a.number - b.number);

// Says whom a stall waits for: the other end, with what joins them; or only that, as "dram0:refresh".
function waitText({ cause, other }) {
  if (other && cause) return `for ${other} (${header.shortNames[cause] || cause})`;
  return `for ${other || cause}`;
}

function fillStalls() {
  const { count } = header.pathStalls;
  element("stallsButton").hidden = !path.lane.to && !count;
  element("stallsButton").textContent = `${number(count)} stall${count === 1 ? "" : "s"} on the path`;
  element("stallsButton").onclick = () => showStalls(element("stalls").hidden);
  element("stallsTitle").textContent = count > pathStalls.length
    ? `The longest ${number(pathStalls.length)} of ${number(count)} stalls on the critical path`
    : `${number(count)} stall${count === 1 ? "" : "s"} on the critical path`;
  element("stallList").replaceChildren(...pathStalls.map((stall) => {
    const colour = header.colours[header.states.indexOf(stall.state)];
    const button = makeElement("button", { type: "button", onclick: () => goToStall(stall.number) },
      swatch(colour),
      makeElement("b", { textContent: number(stall.end - stall.start) }), ` ${header.lanes[stall.lane].name} ${stall.state}`,
      makeElement("small", { textContent: `${waitText(stall)}, cycles ${number(stall.start)} to ${number(stall.end)}` }));
    return makeElement("li", {}, button);
  }));
}

function showAside(isShown) {
  element("aside").hidden = !isShown;
}

function showStalls(isShown) {
  element("stalls").hidden = !isShown;
  element("stallsButton").setAttribute("aria-pressed", isShown);
  showAside(isShown || !element("range").hidden);
}

// Shows a stall of the list with as much again around it, and lights up the chain of its longest stretch.
function goToStall(i) {
  const { lane, start, end } = pathStalls[i];
  const margin = Math.max((end - start) / 2, 8);
  show(start - margin, end + margin);
  const names = new Set([header.lanes[lane].name]);
  if (header.chains.length) lightChain(lane, longestStretch(lane, start, end));
  else if (showLanes(names)) {
    markRows(names, start, end);
    say(`${header.lanes[lane].name} ${pathStalls[i].state} ${waitText(pathStalls[i])}: ${span(start, end)}.`);
  }
  listed = i;
  markListed();
}

// The stall of the list that is lit, if any.
function markListed() {
  if (lit) {
    const { start, end } = { start: data.start[lit.i], end: data.end[lit.i] };
    listed = pathStalls.findIndex((stall) => stall.lane === lit.lane && stall.start === start && stall.end === end);
  }
  [...element("stallList").children].forEach((item, i) => item.firstChild.toggleAttribute("aria-current", i === listed));
  if (listed >= 0 && !element("stalls").hidden) element("stallList").children[listed].scrollIntoView({ block: "nearest" });
}

// The next stall in time, 1, or the one before, -1; from the middle of the view where none is chosen.
function stepStall(step) {
  if (!pathStalls.length) return say(path.lane.to ? "No stall lies on the critical path." : "The critical path is not known on this page.");
  const order = inTime();
  const at = order.findIndex(({ number: each }) => each === listed);
  const middle = (models.cycles.start + models.cycles.end) / 2;
  const after = order.findIndex(({ start }) => start >= middle);
  const isWhole = models.cycles.start <= header.span[0] && models.cycles.end >= header.span[1];
  let next = at + step;
  if (at < 0) next = isWhole ? (step > 0 ? 0 : order.length - 1) : (after < 0 ? order.length : after) - (step > 0 ? 0 : 1);
  if (next < 0 || next >= order.length) return say(`There is no stall on the path ${step > 0 ? "after" : "before"} this one.`);
  return goToStall(order[next].number);
}
