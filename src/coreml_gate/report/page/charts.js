// Charts, drawn by uPlot in the page's own colours.

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
    { ...common, ...(log && { filter, grid: { ...common.grid, filter }, ticks: { ...common.ticks, filter } }), size: 78, values: (_, splits) => splits.map((each) => (each === null ? "" : format(each))) },
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
