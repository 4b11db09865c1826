// The table of models: sorted by a column, filtered by name and status; and text that is copied.

/** The number that a cell begins with; what is exact is best, what has no value comes last. */
function figureOf(cell) {
  const text = cell.textContent.trim().replace("\u2212", "-");
  const found = text.match(/[+-]?\d[\d,]*\.?\d*(e[+-]?\d+)?/i);
  if (found) return Number(found[0].replaceAll(",", ""));
  return text === "exact" ? Number.MAX_VALUE : null;
}

function compareCells(one, other) {
  if (!one.classList.contains("number")) {
    return one.textContent.trim().localeCompare(other.textContent.trim(), "en", { numeric: true });
  }
  return figureOf(one) - figureOf(other);
}

/** Sorts the rows by a column; rows without a value stay at the end in both directions. */
function sortBy(table, column, direction) {
  const body = table.tBodies[0];
  const missing = (row) => row.cells[column].classList.contains("number") && figureOf(row.cells[column]) === null;
  const rows = [...body.rows].sort((one, other) =>
    missing(one) - missing(other) || direction * compareCells(one.cells[column], other.cells[column]));
  body.append(...rows);
}

function makeSortable(table) {
  const titles = [...table.tHead.rows[0].cells];
  titles.forEach((title, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = title.textContent;
    title.replaceChildren(button);
    button.addEventListener("click", () => {
      const ascending = title.getAttribute("aria-sort") !== "ascending";
      for (const each of titles) each.removeAttribute("aria-sort");
      title.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      sortBy(table, column, ascending ? 1 : -1);
    });
  });
}

function makeFilterable(table, form) {
  const search = form.querySelector("#search");
  const boxes = [...form.querySelectorAll("input[type=checkbox]")];
  const rows = [...table.tBodies[0].rows];
  const sections = new Map([...document.querySelectorAll("details.model")].map((each) => [each.id, each]));
  const apply = () => {
    const wanted = search.value.trim().toLowerCase();
    const statuses = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    let shown = 0;
    for (const row of rows) {
      const link = row.cells[0].querySelector("a");
      const name = row.cells[0].textContent.toLowerCase();
      const fits = statuses.has(row.dataset.status) && name.includes(wanted);
      row.hidden = !fits;
      if (link) sections.get(link.hash.slice(1))?.toggleAttribute("hidden", !fits);
      shown += fits;
    }
    form.querySelector("#shown").textContent = shown === rows.length ? "" : `${shown} of ${rows.length} models`;
  };
  form.hidden = false;
  form.addEventListener("input", apply);
  form.addEventListener("submit", (event) => event.preventDefault());
}

/** A file opened from disk may lack the clipboard: then the text is selected and copied as by hand. */
async function copyText(block) {
  try {
    await navigator.clipboard.writeText(block.textContent.trimEnd());
  } catch {
    getSelection().selectAllChildren(block);
    document.execCommand("copy");
  }
}

function makeCopyable(button) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    await copyText(button.parentElement.querySelector("pre"));
    button.textContent = "Copied";
    document.getElementById("said").textContent = "Copied to the clipboard.";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

/** A link to a model unfolds it. */
function unfoldTarget() {
  const target = document.getElementById(location.hash.slice(1));
  if (!target?.matches("details.model")) return;
  target.open = true;
  target.scrollIntoView();
}
