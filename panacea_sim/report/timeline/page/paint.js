// How lanes are painted. A column is what stands at one place of a lane: parts first to before last, which reach from
// left to right and up to top; isFull says that they leave nothing of the lane's height white.

const TOUCHING = 1e-3;
const UNDERLAY_PIXELS = 2;

const touches = (column, next, pixel) => next !== undefined && next.lane === column.lane && next.left - column.right < pixel * TOUCHING;

// Where rectangles end that are painted so that the next one covers the rest: side by side they would share a pixel,
// and let the paper shine through it as if there were a gap. None reaches beyond what is painted over it later. What is
// narrower than a pixel stays so: its neighbour reaches below it, and it would gain colour that it does not have.
function painted({ right, top }, columns, pixel) {
  const paintRight = Float64Array.from(right);
  const paintTop = Float64Array.from(top);
  let reach = 0;
  for (let c = columns.length - 1; c >= 0; c--) {
    const column = columns[c];
    if (!(touches(column, columns[c + 1], pixel) && columns[c + 1].isFull)) reach = column.right;
    const under = column.right - column.left < pixel ? 0 : UNDERLAY_PIXELS * pixel;
    for (let i = column.first; i < column.last; i++) {
      paintRight[i] = Math.min(column.right + under, reach);
      paintTop[i] = column.top;
    }
  }
  return { paintRight, paintTop };
}

// Where one firing follows another in the same state, which only a line can tell apart; for those that have room.
function borders(parts, columns, pixel, roomy) {
  const edges = { x: [], bottom: [], top: [] };
  const single = ({ first, last }) => last - first === 1;
  columns.forEach((column, c) => {
    const before = columns[c - 1];
    const { first } = column;
    if (!before || parts.i[first] < 0 || parts.right[first] - parts.left[first] < roomy) return;
    if (!touches(before, column, pixel) || !single(before) || parts.state[before.first] !== parts.state[first]) return;
    edges.x.push(parts.left[first]); edges.bottom.push(parts.bottom[first]); edges.top.push(parts.top[first]);
  });
  return edges;
}
