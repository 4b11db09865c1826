// What several pages are made of: packed data, headings, tables, bars.

/** The data beside a section: JSON, compressed and in base64. */
async function unpacked(text) {
  const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

function heading(parent, text) {
  const made = document.createElement("h3");
  made.textContent = text;
  parent.append(made);
}

function tableOf(parent, label, titles, rows) {
  const box = document.createElement("div");
  box.className = "wide";
  box.tabIndex = 0;
  box.setAttribute("role", "region");
  box.setAttribute("aria-label", label);
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const title of titles) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = title;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const cells of rows) {
    const row = body.insertRow();
    for (const cell of cells) row.insertCell().append(cell);
  }
  box.append(table);
  parent.append(box);
  return table;
}

function meterOf(value, most, label) {
  const meter = document.createElement("meter");
  meter.max = most || 1;
  meter.value = value;
  meter.setAttribute("aria-label", label);
  return meter;
}
