// The program of a package: searched, and each line with its error, its range and its source line.

const MOST_LINES = 2000;
const COLUMNS = [
  ["#", (program, at) => String(at + 1), "number"],
  ["operation", (program, at) => program.type[at]],
  ["name", (program, at) => program.name[at]],
  ["gives", (program, at) => program.gives[at]],
  ["reads", (program, at) => program.reads[at]],
  ["FP32 error", (program, at) => short(program.errors.fp32?.[at]), "number"],
  ["FP16 error", (program, at) => short(program.errors.fp16?.[at]), "number"],
  ["strict error", (program, at) => short(program.errors["neural-engine"]?.[at]), "number"],
  ["reaches", (program, at) => short(program.reaches[at]), "number"],
  ["module", (program, at) => program.module[at]],
  ["source", (program, at) => program.place[at]],
];

function programRow(program, at) {
  const row = document.createElement("tr");
  row.dataset.at = at;
  for (const [, text, kind] of COLUMNS) {
    const cell = row.insertCell();
    cell.textContent = text(program, at);
    if (kind) cell.className = kind;
  }
  const errors = Object.values(program.errors).map((curve) => curve[at] ?? 0);
  row.classList.toggle("wrong", Math.max(0, ...errors) > DAMAGED);
  row.classList.toggle("first-wrong", at === program.firstWrong);
  return row;
}

function programTable(label) {
  const view = document.createElement("div");
  view.className = "program-view program";
  view.tabIndex = 0;
  view.setAttribute("role", "region");
  view.setAttribute("aria-label", label);
  const table = document.createElement("table");
  const titles = table.createTHead().insertRow();
  for (const [title, , kind] of COLUMNS) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    if (kind) cell.className = kind;
    titles.append(cell);
  }
  table.createTBody();
  view.append(table);
  return view;
}

/** The program as a folded part; the function that it returns unfolds it at a line. */
function programPart(parent, program, name) {
  const part = document.createElement("details");
  const title = document.createElement("summary");
  title.textContent = `The MIL program: ${program.name.length.toLocaleString("en")} operations`;
  const form = document.createElement("form");
  form.className = "filter";
  const search = document.createElement("input");
  search.type = "search";
  search.placeholder = "operation, name, module or source line";
  search.setAttribute("aria-label", `search the program of ${name}`);
  const found = document.createElement("p");
  found.className = "soft";
  found.setAttribute("role", "status");
  form.append(search, found);
  const view = programTable(`program of ${name}`);
  part.append(title, form, view);
  parent.append(part);

  const texts = indices(program.name.length).map((at) =>
    COLUMNS.slice(1).map(([, text]) => text(program, at)).join("\n").toLowerCase());
  const fill = (wanted) => {
    const fits = indices(texts.length).filter((at) => texts[at].includes(wanted));
    view.querySelector("tbody").replaceChildren(...fits.slice(0, MOST_LINES).map((at) => programRow(program, at)));
    const cut = fits.length > MOST_LINES ? `, the first ${MOST_LINES.toLocaleString("en")} shown` : "";
    found.textContent = wanted || cut ? `${fits.length.toLocaleString("en")} lines${cut}` : "";
  };
  form.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", () => fill(search.value.trim().toLowerCase()));
  part.addEventListener("toggle", () => part.open && !view.querySelector("td") && fill(""));

  return (at) => {
    part.open = true;
    search.value = at < MOST_LINES ? "" : program.name[at];
    fill(search.value.toLowerCase());
    const row = view.querySelector(`[data-at="${at}"]`);
    if (!row) return;
    row.classList.add("marked");
    row.scrollIntoView({ block: "center" });
  };
}
