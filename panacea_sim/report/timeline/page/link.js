// The cycles of a link, "A:B", as what of them is shown, and what there is to say if that is not what the link asks for.

const LINK_ROUNDING = 0.01;

function linkedCycles(text, [low, high]) {
  const here = `this page has cycles ${number(low)} to ${number(high)}`;
  const all = { first: low, last: high };
  const found = text.match(/^(-?\d+(?:\.\d+)?):(-?\d+(?:\.\d+)?)$/);
  const [first, last] = found ? found.slice(1).map(Number) : [0, 0];
  if (first >= last) return { ...all, problem: `The link says x=${text}, not the first and the last cycle as x=A:B; ${here}, all of them are shown.` };
  const asked = `The link asks for cycles ${number(first)} to ${number(last)}`;
  if (first >= high || last <= low) return { ...all, problem: `${asked}, but ${here}: all of them are shown.` };
  const isWhole = first >= low - LINK_ROUNDING && last <= high + LINK_ROUNDING;
  const inside = { first: Math.max(first, low), last: Math.min(last, high) };
  return { ...inside, problem: isWhole ? "" : `${asked}, but ${here}: what it has of them is shown.` };
}

// The command that draws the view with every interval, and whether they are too many for that.
function detailCommand(command, first, last) {
  return `${command} --window ${Math.floor(first)}:${Math.ceil(last)}`;
}

// The most intervals that can overlap first to last: those that begin before, without those that end before. Exact
// at the edges of the stretches, too many by those in two stretches between.
function mostIntervals({ edges, begun, ended }, first, last) {
  const bins = edges.length - 1;
  const before = firstEndingAfter(edges, first, 1, bins + 1) - 1;
  let after = firstEndingAfter(edges, last, 1, bins + 1);
  if (after > 0 && edges[after - 1] === last) after--;
  return begun[Math.min(after, bins) - 1] - (before > 0 ? ended[before - 1] : 0);
}
