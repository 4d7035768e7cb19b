// Finding lanes by name, firings by tile, cycles and layers, all without case: "ppu", "4,0,2", "PPU 4,0,2", "12,345",
// "cycle 12345", "ffn1"; * in a tile is anything.

function parseSearch(text) {
  const found = text.trim().match(/^(?:([A-Za-z_]\w*))?\s*(?:(\*|\d+)\s*,\s*(\*|\d+)\s*,\s*(\*|\d+))?$/);
  if (!found || (found[1] === undefined && found[2] === undefined)) return null;
  const tile = found[2] === undefined ? null : found.slice(2).map((part) => (part === "*" ? null : Number(part)));
  return { name: found[1], tile };
}

// A cycle, with or without separators between thousands as any country writes them, or null. "1,234,567" is a tile, too.
function parseCycle(text) {
  const found = text.trim().match(/^(?:cycles?\s*)?(\d+|\d{1,3}(?:([,._'’\s])\d{3})(?:\2\d{3})*)$/i);
  return found ? Number(found[1].replace(/\D/g, "")) : null;
}

const sameText = (a, b) => a.toLowerCase() === b.toLowerCase();

// The things of this name: exactly so, else without case.
function named(things, text) {
  const exact = things.filter(({ name }) => name === text);
  return exact.length ? exact : things.filter(({ name }) => sameText(name, text));
}

// The layers of this name, or those with this text in their names.
function findLayers(spans, text) {
  const whole = named(spans, text);
  return whole.length ? whole : spans.filter(({ name }) => name.toLowerCase().includes(text.toLowerCase()));
}

// Where a cycle is, if the page has it; the end of the page counts as one, because the page itself names it.
function findCycle(cycle, [first, last]) {
  return cycle !== null && cycle >= first && cycle <= last ? [{ cycle, start: cycle, end: Math.min(cycle + 1, last) }] : [];
}

// Everything that a text can mean, the most likely first: a layer of that name, a tile, a cycle, a part of a name.
function inOrder(text, layers, tiles, cycles) {
  const isWhole = layers.length > 0 && sameText(layers[0].name, text);
  return isWhole ? [...layers, ...tiles, ...cycles] : [...tiles, ...cycles, ...layers];
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
