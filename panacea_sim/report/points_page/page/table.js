// The table of points, and beside it why the run of one of them took so long.

const MOST_ROWS = 500;

function cell(text, className) {
  const made = document.createElement("td");
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function fillTitles() {
  const titles = [{ text: "point" }, ...header.measures].map(({ text }, number) => {
    const title = document.createElement("th");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = text;
    button.onclick = () => sortBy(number - 1);
    title.className = "n";
    title.append(button);
    return title;
  });
  element("titles").replaceChildren(...titles);
}

// Sorts by a measure, -1 by the points themselves; once more turns the order round.
function sortBy(number) {
  view.sort = { number, isDown: view.sort.number === number && !view.sort.isDown };
  fillTable();
}

// The points in the order of the table: those without a figure last.
function ordered() {
  const { number, isDown } = view.sort;
  const places = number < 0 ? header.points.map(({ index }) => index) : header.measures[number].places;
  const known = (i) => places[i] !== null;
  return header.points.map((_, i) => i).sort((a, b) => {
    if (known(a) !== known(b)) return known(a) ? -1 : 1;
    return (known(a) && (isDown ? places[b] - places[a] : places[a] - places[b])) || a - b;
  });
}

function row(i) {
  const { index, isFront, error } = header.points[i];
  const made = document.createElement("tr");
  const first = cell("", "n");
  const mark = document.createElement(isFront ? "b" : "span");
  mark.textContent = index;
  first.append(mark);
  const goals = header.measures.filter(({ sign }) => sign).length;
  const shown = error === null ? header.measures : header.measures.slice(0, -goals);
  made.append(first, ...shown.map(({ texts }) => cell(texts[i], "n")));
  if (error !== null) {
    const told = cell(error, "error");
    told.colSpan = goals;
    told.title = error;
    made.append(told);
  }
  made.tabIndex = 0;
  made.onclick = (event) => clickRow(i, event.ctrlKey || event.metaKey);
  made.onkeydown = ({ key }) => { if (key === "Enter") clickRow(i, false); };
  return made;
}

// With Ctrl a row is chosen besides the others, or no more.
function clickRow(i, isMore) {
  const others = isMore ? [...view.chosen].filter((each) => each !== i) : [];
  view.isClicked = true; // rows stay where they are below the pointer
  choose(isMore && view.chosen.has(i) ? others : [...others, i]);
  view.isClicked = false;
  open(i);
}

// Chosen points come first, wherever they would be.
function fillTable() {
  const all = ordered();
  const rows = [...all.filter((i) => view.chosen.has(i)), ...all.filter((i) => !view.chosen.has(i))];
  view.rows = rows.slice(0, MOST_ROWS);
  element("rows").replaceChildren(...view.rows.map(row));
  [...element("titles").children].forEach((title, number) => {
    if (number - 1 === view.sort.number) title.setAttribute("aria-sort", view.sort.isDown ? "descending" : "ascending");
    else title.removeAttribute("aria-sort");
  });
  const left = rows.length - MOST_ROWS;
  element("left").textContent = left > 0 ? `.. and ${left.toLocaleString("en-US")} more: results.csv has them, and those that are chosen come first.` : "";
  markRows();
}

// Shows which rows are chosen, and which one is opened.
function markRows() {
  [...element("rows").children].forEach((made, number) => {
    made.setAttribute("aria-selected", view.chosen.has(view.rows[number]));
    made.classList.toggle("opened", view.opened === view.rows[number]);
  });
  element("count").textContent = view.chosen.size ? `Points, ${view.chosen.size.toLocaleString("en-US")} chosen` : "Points";
}

function paragraph(text) {
  const made = document.createElement("p");
  made.textContent = text;
  return made;
}

// What is known of a run: its first sentence, tables, and what stands below them.
function told({ first, tables, lines }) {
  const shown = tables.map(({ title, columns, rows }) => {
    const table = document.createElement("table");
    table.createCaption().textContent = title;
    const head = table.createTHead().insertRow();
    const classes = columns.map(({ isFigure }) => (isFigure ? "n" : ""));
    columns.forEach((column, number) => {
      const made = document.createElement("th");
      made.textContent = column.title;
      made.className = classes[number];
      head.append(made);
    });
    const body = table.createTBody();
    for (const texts of rows) body.insertRow().append(...texts.map((text, number) => cell(text, classes[number])));
    return table;
  });
  return [paragraph(first), ...shown, ...lines.map(paragraph)];
}

function open(i) {
  view.opened = i;
  const { index, error, why } = header.points[i];
  element("opened").textContent = `Why: point ${index}`;
  element("settings").textContent = header.measures.map(({ text, texts }) => `${text} ${texts[i]}`).join(", ");
  if (error !== null) element("text").replaceChildren(paragraph(`It failed: ${error}`));
  else element("text").replaceChildren(...(why ? told(why) : [paragraph("This page does not hold why its run took so long: of many points only those that are not beaten have it, and the first.")]));
  markRows();
}
