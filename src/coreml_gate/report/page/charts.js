// Charts, drawn by uPlot in the page's own colours.

const HALF_MAX = 65504;
const HALF_NORMAL = 2 ** -14;
const DAMAGED = 0.01;
const LEAST_ERROR = 1e-8;
const MODE_NAMES = { "fp16": "FP16", "neural-engine": "FP16 strict (Neural Engine estimate)" };
const MODE_COLOURS = { "fp16": "--blue", "neural-engine": "--unsure" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function short(value) {
  if (value === null || value === undefined) return "\u2013";
  return value === 0 || (Math.abs(value) >= 1e-3 && Math.abs(value) < 1e6)
    ? String(Number(value.toPrecision(3))) : value.toExponential(1).replace(".0e", "e").replace("e+", "e");
}

const inMegabytes = (bytes) => (bytes === null || bytes === undefined ? "\u2013" : `${short(bytes / 1e6)} MB`);

/** On a logarithmic scale, lines and figures at every second power of ten. */
const isShown = (value) => Math.abs(Math.log10(value) % 2) < 1e-6;
const everySecondPower = (_, splits) => splits.map((each) => (isShown(each) ? each : null));

function axes(format, log) {
  const filter = log ? everySecondPower : undefined;
  const common = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--grid"), width: 1 }, ticks: { stroke: () => colour("--grid") } };
  return [
    { ...common, space: 70 },
    { ...common, ...(log && { filter, grid: { ...common.grid, filter }, ticks: { ...common.ticks, filter } }), size: 66, values: (_, splits) => splits.map((each) => (each === null ? "" : format(each))) },
  ];
}

function line(label, name, options = {}) {
  return { label, stroke: () => colour(name), width: 1.75, points: { show: false }, spanGaps: true, ...options };
}

const dashed = (label, name, options = {}) => line(label, name, { dash: [5, 4], width: 1.25, ...options });

/** A label beside a point of a chart, kept inside of it; with a rule, near the bottom beside a line through it. */
function pointLabel(x, y, text, name, rule = false) {
  return {
    hooks: {
      draw: (chart) => {
        const { ctx, bbox } = chart;
        const left = chart.valToPos(x, "x", true);
        const top = Math.max(bbox.top + 14 * devicePixelRatio, chart.valToPos(y, "y", true));
        ctx.save();
        ctx.fillStyle = colour(name);
        ctx.font = `600 ${12 * devicePixelRatio}px system-ui, sans-serif`;
        ctx.textAlign = left > bbox.left + bbox.width / 2 ? "right" : "left";
        const gap = (ctx.textAlign === "right" ? -8 : 8) * devicePixelRatio;
        ctx.beginPath();
        ctx.arc(left, top, 4 * devicePixelRatio, 0, 2 * Math.PI);
        ctx.fill();
        ctx.fillText(text, left + gap, rule ? bbox.top + 0.94 * bbox.height : top - 6 * devicePixelRatio);
        if (rule) ctx.fillRect(left, top, devicePixelRatio, bbox.top + bbox.height - top);
        ctx.restore();
      },
    },
  };
}

/** A figure with its title, its words and the chart, which follows the width of the page. */
function figure(parent, title, words, { data, series, height = 220, log = false, range, format = short, plugins = [], full = false, sync, onClick }) {
  const made = document.createElement("figure");
  const caption = document.createElement("figcaption");
  const name = document.createElement("b");
  name.textContent = title;
  caption.append(name, words);
  const box = document.createElement("div");
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `${title}. ${words}`);
  made.append(caption, box);
  made.classList.toggle("full", full);
  parent.append(made);
  const chart = new uPlot({
    width: box.clientWidth || 600,
    height,
    padding: [14, 12, 0, 0],
    legend: { live: matchMedia("(hover: hover)").matches },
    cursor: { sync: sync && { key: sync, setSeries: false }, drag: { x: true, y: false } },
    scales: { x: { time: false }, y: { distr: log ? 3 : 1, range } },
    axes: axes(format, log),
    series: [{ label: "operation", ...series[0] }, ...series.slice(1).map((each) => ({ value: (_, value) => format(value), ...each }))],
    plugins,
  }, data, box);
  if (onClick) chart.over.addEventListener("click", () => chart.cursor.idx !== null && onClick(chart.cursor.idx));
  new ResizeObserver(() => {
    if (Math.abs(box.clientWidth - chart.width) > 1) chart.setSize({ width: box.clientWidth, height });
  }).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart.redraw());
  return chart;
}

const constant = (value, length) => new Array(length).fill(value);
const indices = (length) => Array.from({ length }, (_, at) => at);
const named = (program) => ({ value: (_, line) => (line === null ? "\u2013" : `${line} ${program.name[line - 1]}`) });
const lines = (length) => indices(length).map((at) => at + 1);
const any = (values) => values?.some((each) => each !== null);

/** On a logarithmic scale nothing is 0: an exact result stands at the lower edge. */
const onLog = (values, least, most) => values.map((each) => (each === null ? null : Math.min(Math.max(each, least), most)));

function errorChart(parent, program, sync, onClick) {
  const modes = Object.keys(MODE_NAMES).filter((mode) => any(program.errors[mode]));
  if (!modes.length) return;
  const length = program.name.length;
  const data = [lines(length)];
  const series = [named(program)];
  for (const mode of modes) {
    if (any(program.baseErrors[mode])) {
      data.push(onLog(program.baseErrors[mode], LEAST_ERROR, 10));
      series.push(dashed(`base, ${MODE_NAMES[mode]}`, "--ghost"));
    }
    data.push(onLog(program.errors[mode], LEAST_ERROR, 10));
    series.push(line(MODE_NAMES[mode], MODE_COLOURS[mode]));
  }
  data.push(constant(DAMAGED, length));
  series.push(dashed("wrong from here", "--fail", { width: 1 }));
  const at = program.firstWrong;
  const found = at === null ? [] : [pointLabel(at + 1, Math.min(program.errors.fp16[at], 10), `first wrong: ${program.type[at]} ${program.name[at]}`, "--fail", true)];
  const words = at === null
    ? "RMS error of each result as a share of its size, with everything before it in FP16. No operation goes wrong by itself."
    : `RMS error of each result as a share of its size. Line ${at + 1}, ${program.type[at]} ${program.name[at]}${program.place[at] ? ` (${program.place[at]})` : ""}, is the first wrong operation.`;
  figure(parent, "Error along the program", words,
    { data, series, log: true, range: [LEAST_ERROR, 20], plugins: found, full: true, height: 260, sync, onClick });
}

function rangeChart(parent, program, sync, onClick) {
  if (!any(program.reaches)) return;
  const length = program.name.length;
  const least = HALF_NORMAL / 100;
  const greatest = Math.max(HALF_MAX, ...program.reaches.map((each) => each ?? 0));
  const data = [lines(length)];
  const series = [named(program)];
  if (any(program.baseReaches)) {
    data.push(onLog(program.baseReaches, least, 1e38));
    series.push(dashed("base", "--ghost"));
  }
  data.push(onLog(program.reaches, least, 1e38), constant(HALF_MAX, length), constant(HALF_NORMAL, length));
  series.push(line("greatest magnitude", "--teal"), dashed("FP16 max 65,504", "--fail", { width: 1 }), dashed("least normal FP16", "--warn", { width: 1 }));
  const over = program.reaches.filter((each) => each > HALF_MAX).length;
  const words = over
    ? `Greatest magnitude of each result in float32. ${over} of ${length} operations exceed 65,504, where FP16 ends.`
    : `Greatest magnitude of each result in float32. The greatest is ${short(Math.max(...program.reaches.map((each) => each ?? 0)))}; FP16 ends at 65,504.`;
  figure(parent, "Range along the program", words,
    { data, series, log: true, range: [least, greatest * 10], full: true, sync, onClick });
}

function memoryChart(parent, memory) {
  const length = Math.max(memory.live.length, memory.base.length);
  const stretched = (values) => indices(length).map((at) => values[Math.floor((at * values.length) / length)]);
  const live = stretched(memory.live).map((each) => each + memory.weights);
  const data = [indices(length).map((at) => (100 * at) / length)];
  const series = [{ label: "of the program", value: (_, at) => (at === null ? "\u2013" : `${Math.round(at)} %`) }];
  if (memory.base.length) {
    data.push(stretched(memory.base).map((each) => each + memory.baseWeights));
    series.push(dashed("base", "--ghost", { paths: uPlot.paths.stepped({ align: 1 }) }));
  }
  data.push(live, constant(memory.weights, length));
  series.push(
    line("weights and activations", "--blue", { paths: uPlot.paths.stepped({ align: 1 }), fill: () => `${colour("--blue")}2b` }),
    line("weights", "--teal", { fill: () => `${colour("--teal")}40` }));
  const peak = Math.max(...live);
  const at = live.indexOf(peak);
  figure(parent, "Memory over the program",
    `Peak ${inMegabytes(peak)} at ${memory.peak}: ${inMegabytes(memory.weights)} of weights and ${inMegabytes(peak - memory.weights)} of activations.`,
    { data, series, format: inMegabytes, range: (_, least, most) => [0, most * 1.18], plugins: [pointLabel(data[0][at], peak, `peak ${inMegabytes(peak)}`, "--blue")] });
}

function timesChart(parent, time) {
  const length = time.ratios.length;
  const data = [lines(length), time.ratios, constant(time.high, length), constant(time.low, length), constant(time.median, length), constant(1, length)];
  const dots = { stroke: () => colour("--ghost"), paths: () => null, points: { show: true, size: 4, fill: () => colour("--ghost") } };
  const series = [{ label: "pair" }, { label: "head \u00f7 base", ...dots },
    dashed("interval, upper end", "--blue"), dashed("interval, lower end", "--blue"), line("median", "--blue"), line("no change", "--ink", { width: 1 })];
  figure(parent, `Paired times: ${time.metric}`,
    `Head takes ${short(time.median)} times as long as base (interval ${short(time.low)} to ${short(time.high)}, ${length} pairs, ${time.where}).`,
    { data, series });
}
