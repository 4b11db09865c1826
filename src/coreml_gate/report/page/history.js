// The history: each metric over the commits, with steps, releases and changes of the toolchain marked.

/** Vertical rules through commits, each with its word; neighbours' words stand in different rows. */
function rules(marks) {
  return {
    hooks: {
      draw: (chart) => {
        const { ctx, bbox } = chart;
        ctx.save();
        ctx.font = `600 ${11 * devicePixelRatio}px system-ui, sans-serif`;
        marks.forEach(({ at, text, name }, row) => {
          const left = chart.valToPos(at, "x", true);
          const isRight = left > bbox.left + 0.7 * bbox.width;
          ctx.fillStyle = colour(name);
          ctx.fillRect(left, bbox.top, devicePixelRatio, bbox.height);
          ctx.textAlign = isRight ? "right" : "left";
          ctx.fillText(text, left + (isRight ? -4 : 4) * devicePixelRatio, bbox.top + (10 + 13 * (row % 3)) * devicePixelRatio);
        });
        ctx.restore();
      },
    },
  };
}

function historyChart(box, series, commits) {
  const marks = [
    ...commits.flatMap(({ release }, at) => (release ? [{ at: at + 1, text: release, name: "--soft" }] : [])),
    ...commits.flatMap(({ toolchain }, at) => (toolchain ? [{ at: at + 1, text: "toolchain", name: "--warn" }] : [])),
    ...series.steps.map((at) => ({ at: at + 1, text: "step", name: "--fail" })),
  ].sort((one, other) => one.at - other.at);
  const format = (value) => `${short(value)}${series.unit && value !== null ? ` ${series.unit}` : ""}`;
  const named = { label: "commit", value: (_, at) => (at === null ? "\u2013" : `${commits[at - 1].name} ${commits[at - 1].date}`) };
  figure(box, series.title, series.words, {
    data: [lines(commits.length), series.values],
    series: [named, line(series.title, "--blue", { points: { show: true, size: 5 } })],
    format,
    height: 190,
    plugins: [rules(marks)],
    sync: "commits",
    onClick: (at) => commits[at].link && location.assign(commits[at].link),
  });
}

(async () => {
  const stored = document.getElementById("history");
  const { commits, series } = await unpacked(stored.textContent);
  for (const box of document.querySelectorAll(".drawn[data-model]")) {
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((each) => each.isIntersecting)) return;
      watch.disconnect();
      box.replaceChildren();
      box.classList.add("charts");
      for (const each of series.filter(({ model }) => String(model) === box.dataset.model)) historyChart(box, each, commits);
    }, { rootMargin: "600px" });
    watch.observe(box);
  }
})();
