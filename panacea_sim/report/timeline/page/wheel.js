// The wheel scrolls the page; with Ctrl (or Cmd, or as a pinch of a touchpad, which is the same) it zooms the cycles
// below the pointer. Where the wheel tool is chosen, Bokeh zooms without Ctrl, too.

const PIXELS_OF_DELTA = [1, 40, 800];
const MOST_DELTA = 25;
const DELTA_FOR_E = 100;

// How many times as many cycles are in view after a turn of the wheel.
function wheelFactor({ deltaY, deltaMode }) {
  const pixels = deltaY * PIXELS_OF_DELTA[deltaMode];
  return Math.exp(Math.min(Math.max(pixels, -MOST_DELTA), MOST_DELTA) / DELTA_FOR_E);
}

// The cycle below the pointer, or null where there is no figure.
function cycleBelow({ clientX, clientY }) {
  for (const figure of figures()) {
    const view = figure.visible ? Bokeh.index.find_one(figure) : null;
    if (!view) continue;
    const { left, right, top, bottom } = view.el.getBoundingClientRect();
    if (clientX < left || clientX > right || clientY < top || clientY > bottom) continue;
    const { bbox, x_scale } = view.frame;
    return x_scale.invert(Math.min(Math.max(clientX - left, bbox.left), bbox.right));
  }
  return null;
}

function onWheel(event) {
  if (!event.ctrlKey && !event.metaKey) return;
  const cycle = cycleBelow(event);
  if (cycle === null) return;
  event.preventDefault();
  event.stopPropagation();
  const { start, end } = models.cycles;
  const factor = wheelFactor(event);
  show(cycle - (cycle - start) * factor, cycle + (end - cycle) * factor);
}
