// The parallel coordinates: an upright axis for each measure, better ends of goals at the bottom.

// Where a place lies on its axis, from 0 to 1; null where there is none.
function share({ places, sign }) {
  const known = places.filter((place) => place !== null);
  const low = Math.min(...known), high = Math.max(...known);
  return places.map((place) => {
    if (place === null) return null;
    const part = high > low ? (place - low) / (high - low) : 0.5;
    return sign < 0 ? 1 - part : part;
  });
}

function drawParallel() {
  const shares = header.measures.map(share);
  view.shares = shares;
  const places = shares.map((_, number) => number);
  const lines = header.points.map((_, i) => shares.map((mine) => mine[i]));
  const isDrawn = (i) => header.points[i].error === null;
  const xs = lines.map((line, i) => (isDrawn(i) ? places.filter((number) => line[number] !== null) : []));
  const ys = lines.map((line, i) => (isDrawn(i) ? line.filter((part) => part !== null) : []));
  models.source.data = { ...models.source.data, xs, ys };
  drawEnds();
}

// What the ends of each axis stand for.
function drawEnds() {
  const ends = { x: [], y: [], text: [], baseline: [], ink: [] };
  view.shares.forEach((mine, number) => {
    const { texts } = header.measures[number];
    for (const [wanted, y, baseline] of [[Math.min, -0.03, "top"], [Math.max, 1.03, "bottom"]]) {
      const known = mine.filter((part) => part !== null);
      if (!known.length) continue;
      ends.x.push(number); ends.y.push(y); ends.baseline.push(baseline); ends.ink.push(theme().ink);
      ends.text.push(texts[mine.indexOf(wanted(...known))]);
    }
  });
  models.parallel.renderers.find(({ name }) => name === "ends").data_source.data = ends;
}

// Chooses the points whose lines go through the box on every axis that it covers.
function brush({ x0, x1, y0, y1 }) {
  const covered = view.shares.filter((_, number) => number >= x0 && number <= x1);
  const through = (mine, i) => mine[i] !== null && mine[i] >= y0 && mine[i] <= y1;
  if (covered.length) choose(header.points.flatMap(({ error }, i) => (error === null && covered.every((mine) => through(mine, i)) ? [i] : [])));
}
