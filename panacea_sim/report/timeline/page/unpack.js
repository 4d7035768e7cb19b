// Columns of packing.py: compressed bytes back to typed arrays, and steps back to cycles.

const TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array,
  uint32: Uint32Array, int32: Int32Array, float64: Float64Array,
};

async function unpack(described, base64) {
  const text = atob(base64);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
  const columns = {};
  let at = 0;
  for (const { name, type, length } of described) {
    const column = new TYPES[type](length);
    const size = column.BYTES_PER_ELEMENT;
    const target = new Uint8Array(column.buffer);
    for (let byte = 0; byte < size; byte++) {
      for (let i = 0, to = byte; i < length; i++, to += size) target[to] = bytes[at++];
    }
    columns[name] = column;
  }
  return columns;
}

function sums(steps, Type) {
  const values = new Type(steps.length);
  let sum = 0;
  for (let i = 0; i < steps.length; i++) values[i] = sum += steps[i];
  return values;
}

// Start and end of every interval, lane by lane, from the gaps between them and their durations.
function intervals(lanes, gap, duration) {
  const start = new Float64Array(gap.length);
  const end = new Float64Array(gap.length);
  for (const lane of lanes) {
    let cycle = 0;
    for (let i = lane.from; i < lane.to; i++) {
      start[i] = cycle + gap[i];
      cycle = end[i] = start[i] + duration[i];
    }
  }
  return { start, end };
}
