// Finding lanes by name, firings by tile and layers: "ppu", "4,0,2", "ppu 4,0,2", "ffn1"; * in a tile is anything.

function parseSearch(text) {
  const found = text.trim().match(/^(?:([A-Za-z_]\w*))?\s*(?:(\*|\d+)\s*,\s*(\*|\d+)\s*,\s*(\*|\d+))?$/);
  if (!found || (found[1] === undefined && found[2] === undefined)) return null;
  const tile = found[2] === undefined ? null : found.slice(2).map((part) => (part === "*" ? null : Number(part)));
  return { name: found[1], tile };
}

// The layers of this name, or those with this text in their names.
function findLayers(spans, text) {
  const exact = spans.filter(({ name }) => name === text);
  const wanted = text.toLowerCase();
  return exact.length ? exact : spans.filter(({ name }) => name.toLowerCase().includes(wanted));
}

// Where the tile is: one stretch of cycles for each layer, in order of time.
function findTile(data, lanes, [m, n, k]) {
  const stretches = new Map();
  for (const lane of lanes) {
    for (let i = lane.from; i < lane.to; i++) {
      if (data.state[i] !== BUSY) continue;
      if ((m !== null && data.m[i] !== m) || (n !== null && data.n[i] !== n) || (k !== null && data.k[i] !== k)) continue;
      const known = stretches.get(data.layer[i]);
      if (!known) stretches.set(data.layer[i], { layer: data.layer[i], start: data.start[i], end: data.end[i] });
      else {
        known.start = Math.min(known.start, data.start[i]);
        known.end = Math.max(known.end, data.end[i]);
      }
    }
  }
  return [...stretches.values()].sort((a, b) => a.start - b.start);
}
