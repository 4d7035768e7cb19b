// Where the cycles of several runs stand on one axis. A place is a cycle, a share of the run (0 to 1), or, aligned by
// layer, a cycle that is moved with the piece of the run it lies in: pieces are [start, end, offset].

function lastPlace(runs, alignment) {
  if (alignment === "share") return 1;
  if (alignment === "cycle") return Math.max(...runs.map(({ end }) => end));
  return Math.max(...runs.map(({ pieces }) => (pieces.length ? pieces[pieces.length - 1][1] + pieces[pieces.length - 1][2] : 0)));
}

// The stretches of a run, which lie between edges, on the axis: the edges there, and which stretch fills each, -1 where
// there is room that another run needs. No stretch has a border of two pieces inside.
function placed({ pieces, end }, edges, alignment) {
  const scale = alignment === "share" ? 1 / end : 1;
  if (alignment !== "layer") return { edges: Float64Array.from(edges, (edge) => edge * scale), stretches: Array.from(edges.slice(1), (_, j) => j), scale };
  const places = [];
  const stretches = [];
  for (let j = 0, p = 0; j + 1 < edges.length; j++) {
    while (pieces[p][1] <= edges[j]) p++;
    const left = edges[j] + pieces[p][2];
    if (!places.length) places.push(left);
    else if (left > places[places.length - 1]) { places.push(left); stretches.push(-1); }
    places.push(edges[j + 1] + pieces[p][2]);
    stretches.push(j);
  }
  return { edges: Float64Array.from(places), stretches, scale };
}

// The states of a lane in those stretches, as parts of the axis; of a lane with several members their mean.
function laneCycles({ from, members, means }, { edges, stretches, scale }, cycles, states) {
  const found = new Float64Array(stretches.length * states);
  stretches.forEach((j, place) => {
    if (j < 0) return;
    for (let s = 0; s < states; s++) {
      found[place * states + s] = means ? means[s] * (edges[place + 1] - edges[place]) : (cycles[(from + j) * states + s] * scale) / members;
    }
  });
  return found;
}

// The parts of a run on the axis between which there is room of at least `width`, as the numbers of their stretches.
function solid({ edges, stretches }, width) {
  const parts = [];
  let first = 0;
  stretches.forEach((j, place) => {
    if (j >= 0 || edges[place + 1] - edges[place] < width) return;
    parts.push([first, place]);
    first = place + 1;
  });
  return [...parts, [first, stretches.length]];
}

// The cycle of a run at a place of the axis; in room that another run needs it is the last one before.
function cycleAt({ pieces, end }, place, alignment) {
  if (alignment === "share") return place * end;
  if (alignment === "cycle" || !pieces.length) return Math.min(place, end);
  const begun = pieces.filter(([start, , offset]) => start + offset <= place);
  const [start, last, offset] = begun.length ? begun[begun.length - 1] : pieces[0];
  return Math.min(Math.max(place - offset, start), last);
}

// Where layers stand on the axis, [left, right] each: where their first cycle begins and their last one ends.
function layerPlaces({ pieces, layers, end }, alignment) {
  if (alignment !== "layer") return layers.map((layer) => (alignment === "share" ? [layer.start / end, layer.end / end] : [layer.start, layer.end]));
  const offsetAt = (cycle) => (pieces.find(([, last]) => cycle < last) || pieces[pieces.length - 1])[2];
  return layers.map(({ start, end }) => [start + offsetAt(start), end + offsetAt(end - 1)]);
}
