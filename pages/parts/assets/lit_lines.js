// The run under the pointer, at its line or in the legend, keeps its strength; all other lines of the chart fade.

const FADED = 0.15;

// Plotly binds what it draws to the element; a trace's group is the run's id and the set of images.
const traceOf = (element) => element.__data__?.[0]?.trace;
const runOf = (trace) => trace?.legendgroup?.split(" ")[0];

function light(chart, run) {
  for (const line of chart.querySelectorAll(".scatterlayer .trace")) {
    const trace = traceOf(line);
    line.style.opacity = run && runOf(trace) !== run ? FADED : (trace?.opacity ?? 1);
  }
}

function watch(chart) {
  if (chart.litLines || !chart.on) return;
  chart.litLines = true;
  chart.on("plotly_hover", (event) => light(chart, runOf(event.points[0]?.data)));
  chart.on("plotly_unhover", () => light(chart, null));
  chart.addEventListener("mouseover", (event) => {
    const entry = event.target.closest?.(".legend .traces");
    if (entry) light(chart, runOf(traceOf(entry)));
  });
  chart.addEventListener("mouseout", (event) => {
    if (event.target.closest?.(".legend .traces")) light(chart, null);
  });
}

export default function () {
  const look = () => document.querySelectorAll(".st-key-runs_chart .js-plotly-plot").forEach(watch);
  look();
  // The chart is drawn anew with each epoch, and by a library that may come later than this.
  const observer = new MutationObserver(look);
  observer.observe(document.body, { childList: true, subtree: true });
  return () => observer.disconnect();
}
