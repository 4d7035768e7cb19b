// Light or dark, as the reader prefers it: what CSS does not reach, because Bokeh draws it.

const darkScheme = matchMedia("screen and (prefers-color-scheme: dark)");
const theme = () => header.themes[darkScheme.matches ? "dark" : "light"];

function paintPlots(plots) {
  const { ink, line, grid, paper } = theme();
  for (const figure of plots) {
    figure.outline_line_color = line;
    for (const axis of [...figure.left, ...figure.above, ...figure.below]) {
      axis.setv({ major_label_text_color: ink, axis_label_text_color: ink });
      // Axes of names have no lines.
      for (const name of ["axis_line_color", "major_tick_line_color", "minor_tick_line_color"]) {
        if (axis[name] !== null) axis[name] = line;
      }
    }
    for (const each of figure.center) {
      if ("grid_line_color" in each && each.grid_line_color !== null) each.grid_line_color = grid;
      if ("label_text_color" in each) each.setv({ label_text_color: ink, background_fill_color: paper });
    }
  }
}

function paintFigures() {
  const { ink } = theme();
  paintPlots(figures());
  models.mark.line_color = ink;
  // The page of a comparison has no chains to light up, and no ranges to choose.
  for (const drawn of models.lanes.renderers.filter(({ name }) => name === "edges" || name === "lit")) drawn.glyph.line_color = { value: ink };
  if (models.chosen) models.chosen.setv({ fill_color: ink, line_color: ink });
}
