// What the page says about what is below the pointer.

const number = (value) => value.toLocaleString("en-US", { maximumFractionDigits: 1 });
const percent = (share) => `${(100 * share).toFixed(1)} %`;
const span = (from, to) => `cycles ${number(from)} to ${number(to)} (${number(to - from)})`;

function tileText(m, n, k) {
  const parts = [["m", m], ["n", n], ["k", k]].filter(([, value]) => value >= 0);
  return parts.length ? `tile ${parts.map(([name, value]) => `${name} ${value}`).join(", ")}` : "";
}

function stepsText(data, i) {
  const { actions } = header.operators || { actions: [] };
  const counts = actions.map(({ action, label }) => [data.amounts[action][i], label]);
  return counts.some(([count]) => count > 0) && `${counts.map(([count, label]) => `${number(count)} ${label}`).join(", ")} steps`;
}

function intervalText(data, lane, i) {
  const [state, cause, other] = data.kinds[data.kind[i]];
  return [
    `${lane.name}: ${data.states[state]}`,
    span(data.start[i], data.end[i]),
    data.layers[data.layer[i]] && `layer ${data.layers[data.layer[i]]}`,
    tileText(data.m[i], data.n[i], data.k[i]),
    cause && `cause ${cause}`,
    other && `other end ${other}`,
    data.amounts.bytes[i] > 0 && `${number(data.amounts.bytes[i])} bytes`,
    stepsText(data, i),
  ].filter(Boolean).join("\n");
}

function groupText(data, { name, from, to, cycles, count, lanes }) {
  const all = (to - from) * lanes;
  const known = cycles.reduce((sum, each) => sum + each, 0);
  const shares = data.states
    .map((state, s) => [state, cycles[s]])
    .filter(([, each]) => each > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([state, each]) => `${state} ${percent(each / all)}`);
  if (all - known > 1e-6 * all) shares.push(`not recorded ${percent((all - known) / all)}`);
  return [`${name}${count ? `: ${number(count)} intervals` : ""}`, span(from, to), ...shares].join("\n");
}

// The corners of the steps come in pairs: left and right of each bin.
function areasText({ name, xs, ys }, cycle, unit) {
  const right = xs[0].findIndex((x, i) => i % 2 && x > cycle);
  const i = right < 0 ? xs[0].length - 1 : right;
  const rate = (value) => `${number(value)} ${unit}`;
  const lines = name.map((each, channel) => `${each}: ${rate(ys[channel][i])}`);
  if (name.length > 1) lines.push(`together: ${rate(ys.reduce((sum, each) => sum + each[i], 0))}`);
  return [span(xs[0][i - 1], xs[0][i]), ...lines].join("\n");
}
