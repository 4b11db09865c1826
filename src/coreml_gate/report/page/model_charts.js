// What is drawn of a model along its program, and its paired times.

const HALF_MAX = 65504;
const HALF_NORMAL = 2 ** -14;
const DAMAGED = 0.01;
const LEAST_ERROR = 1e-8;
const MODE_NAMES = { "fp32": "FP32 against the source", "fp16": "FP16", "neural-engine": "FP16 strict (Neural Engine estimate)" };
const MODE_COLOURS = { "fp32": "--teal", "fp16": "--blue", "neural-engine": "--unsure" };

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
  const found = at === null ? [] : [pointLabel(at + 1, Math.min(Math.max(...modes.map((mode) => program.errors[mode][at] ?? 0)), 10), `first wrong: ${program.type[at]} ${program.name[at]}`, "--fail", true)];
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
