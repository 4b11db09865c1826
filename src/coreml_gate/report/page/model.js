// A model's section: its data is unpacked and drawn when the section is first seen open.

function phasesPart(parent, phases) {
  const total = phases.reduce((sum, [, seconds]) => sum + seconds, 0);
  const most = Math.max(...phases.map(([, seconds]) => seconds));
  heading(parent, `Where the gate's time went: ${short(total)} s`);
  tableOf(parent, "time of each step", ["Step", "Seconds", "Share"], phases.map(([step, seconds]) =>
    [step, short(seconds), meterOf(seconds, most, `${step}: ${short(seconds)} s`)])).className = "phases";
}

/** Every time that was measured; those with an interval are drawn as well. */
function timesPart(parent, times) {
  heading(parent, "Times, measured as pairs on one machine");
  const rows = times.map((time) => [time.metric, `${short(time.baseMs)} ms`, `${short(time.headMs)} ms`, `${short(time.median)}`,
    time.low === null ? "too few pairs" : `${short(time.low)} to ${short(time.high)}`, String(time.ratios.length)]);
  tableOf(parent, "times", ["Time", "Base", "Head", "Head \u00f7 base", "Interval", "Pairs"], rows);
}

function devicesPart(parent, devices) {
  const part = document.createElement("details");
  const title = document.createElement("summary");
  const bad = devices.filter((each) => each[2] !== "pass").length;
  title.textContent = `Devices: ${bad ? `${bad} of ${devices.length} have too little memory` : `fits on all ${devices.length}`}`;
  part.append(title);
  parent.append(part);
  const rows = devices.map(([name, chip, status, share, budget, estimated, systems, least]) => {
    const pill = document.createElement("span");
    pill.className = `pill ${status}`;
    pill.textContent = status;
    return [name, chip, systems, pill, `${share} % of ${estimated ? "~" : ""}${budget} MB`,
      meterOf(share, 100, `${name}: ${share} % of the memory budget`), least === null ? "\u2013" : `${short(least)} ms`];
  });
  tableOf(part, "devices", ["Device", "Chip", "iOS", "Status", "Memory of budget", "Share", "Least time"], rows).className = "devices";
}

function drawModel(box, data, name) {
  const charts = document.createElement("div");
  charts.className = "charts";
  box.replaceChildren(charts);
  let showLine = () => {};
  if (data.program) {
    const open = (at) => showLine(at);
    errorChart(charts, data.program, name, open);
    rangeChart(charts, data.program, name, open);
  }
  if (data.memory) memoryChart(charts, data.memory);
  for (const time of data.times ?? []) if (time.low !== null) timesChart(charts, time);
  if (data.times) timesPart(box, data.times);
  if (data.program) showLine = programPart(box, data.program, name);
  if (data.devices) devicesPart(box, data.devices);
  if (data.phases) phasesPart(box, data.phases);
}

/** Draws a section once, when it is open and comes into view. */
function drawWhenSeen(section) {
  const box = section.querySelector(":scope > .drawn");
  const stored = box?.nextElementSibling;
  if (!box) return;
  const watch = new IntersectionObserver(async (entries) => {
    if (!section.open || !entries.some((each) => each.isIntersecting)) return;
    watch.disconnect();
    try {
      drawModel(box, await unpacked(stored.textContent), section.querySelector("h2").textContent);
    } catch (error) {
      box.textContent = `The charts cannot be drawn: ${error.message}. Open the page in a browser of 2023 or later.`;
      console.error(error);
    }
  }, { rootMargin: "600px" });
  watch.observe(section);
  section.addEventListener("toggle", () => {
    watch.unobserve(section);
    watch.observe(section);
  }, { once: true });
}

(() => {
  const table = document.getElementById("models");
  if (table) {
    makeSortable(table);
    makeFilterable(table, document.querySelector("form.filter"));
  }
  document.querySelectorAll("button.copy").forEach(makeCopyable);
  document.querySelectorAll("details.model").forEach(drawWhenSeen);
  addEventListener("hashchange", unfoldTarget);
  unfoldTarget();
})();
