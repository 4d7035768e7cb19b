// Keys, and going to a cycle.

const PAN_SHARE = 0.25;
const ZOOM_FACTOR = 1.5;

const KEYS = {
  ArrowLeft: () => pan(-PAN_SHARE),
  ArrowRight: () => pan(PAN_SHARE),
  "+": () => zoom(1 / ZOOM_FACTOR),
  "=": () => zoom(1 / ZOOM_FACTOR),
  "-": () => zoom(ZOOM_FACTOR),
  g: () => { element("cycle").focus(); element("cycle").select(); },
  n: () => stepStall(1),
  p: () => stepStall(-1),
  Escape: () => clearAll(),
  "?": () => showKeys(element("keys").hidden),
};

const KEY_TEXTS = [
  ["← →", "move by a quarter of the view"],
  ["+ −", "zoom"],
  ["g", "go to a cycle"],
  ["n p", "next and previous stall on the critical path"],
  ["Esc", "clear what is marked, lit or chosen"],
  ["?", "show or hide the keys"],
];

function pan(share) {
  const { start, end } = models.cycles;
  show(start + share * (end - start), end + share * (end - start));
}

function zoom(factor) {
  const { start, end } = models.cycles;
  const middle = (start + end) / 2;
  show(middle - (factor * (end - start)) / 2, middle + (factor * (end - start)) / 2);
}

function clearAll() {
  if (!element("keys").hidden) return showKeys(false);
  clearLit();
  clearRange();
  listed = -1;
  markListed();
  models.mark.visible = false;
  sayOfCycle("");
  return say("");
}

// Keys with Ctrl, Alt or Cmd are the browser's; those in a field belong to it, but for Escape, which leaves it.
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const { target, key } = event;
  if (target.closest && target.closest("input, select, textarea, [contenteditable]")) {
    if (key === "Escape") target.blur();
    return;
  }
  const action = KEYS[key];
  if (!action) return;
  event.preventDefault();
  action();
}

function fillKeys() {
  element("keyList").replaceChildren(...KEY_TEXTS.map(([keys, text]) => makeElement("div", {},
    makeElement("dt", {}, ...keys.split(" ").map((key) => makeElement("kbd", { textContent: key }))),
    makeElement("dd", { textContent: text }))));
  element("keysButton").onclick = () => showKeys(element("keys").hidden);
}

function showKeys(isShown) {
  element("keys").hidden = !isShown;
  element("keysButton").setAttribute("aria-pressed", isShown);
}

// What is wrong with a text that should be a cycle of the page, or "".
function cycleProblem(text, [first, last]) {
  const accepted = `give a whole number from ${number(first)} to ${number(last)}, as 12345 or 12,345`;
  const cycle = parseCycle(text);
  if (cycle === null) return text.trim() ? `“${text.trim()}” is no cycle: ${accepted}.` : `No cycle is given: ${accepted}.`;
  return cycle < first || cycle > last ? `Cycle ${number(cycle)} is not on this page: ${accepted}.` : "";
}

function goToCycle(text) {
  const problem = cycleProblem(text, header.span);
  sayOfCycle(problem);
  if (problem) return;
  searched = { text: "", turn: 0 };
  showFound(findCycle(parseCycle(text), header.span), text);
}

// An error is said in place of what was found, and the field is marked.
function sayOfCycle(problem) {
  element("cycle").setAttribute("aria-invalid", Boolean(problem));
  if (problem) say(problem);
}
