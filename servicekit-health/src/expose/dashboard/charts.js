// The two small charts of a check as SVG path data. In both, the height tells what the colour
// tells, so that neither needs colours to be read.

const RUNS_SHOWN = 30;
const CHART_HEIGHT = 18;
const RUN_WIDTH = 3;
const LINE_WIDTH = 144;
const LINE_HEIGHTS = { healthy: 4, degraded: 11, unhealthy: 18 };
/** A short failure in a long range must not vanish. */
const SHORTEST_MARK = 2;

/** A bar for each of the recent runs, newest at the right, as high as it took long. */
function runPaths(runs) {
  const paths = { healthy: "", degraded: "", unhealthy: "" };
  const slowest = Math.max(...runs.map((run) => run.took), 0.001);
  let x = (RUNS_SHOWN - runs.length) * RUN_WIDTH;
  for (const run of runs) {
    const height = Math.max(1.5, (run.took / slowest) * CHART_HEIGHT);
    paths[run.state] += bar(x, RUN_WIDTH - 1, height);
    x += RUN_WIDTH;
  }
  return paths;
}

/**
 * The states of a check over the last `range` milliseconds. `transitions` are those of the check,
 * oldest first. What is not known is left blank.
 */
function linePaths(check, transitions, now, range) {
  const paths = { healthy: "", degraded: "", unhealthy: "" };
  const start = now - range;
  const draw = (state, from, to) => {
    if (!(state in paths) || to <= start || to <= from) return;
    const left = ((Math.max(from, start) - start) / range) * LINE_WIDTH;
    const right = Math.min(((to - start) / range) * LINE_WIDTH, LINE_WIDTH);
    const width = Math.max(right - left, SHORTEST_MARK);
    paths[state] += bar(Math.min(left, LINE_WIDTH - width), width, LINE_HEIGHTS[state]);
  };
  const [first] = transitions;
  let state = first?.from;
  let since = first && first.at - (first.lasted ?? 0);
  for (const transition of transitions) {
    draw(state, since, transition.at);
    ({ to: state, at: since } = transition);
  }
  if (state !== check.state) {
    // The change to the present state is not among the transitions.
    if (state) draw(state, since, check.since ?? now);
    since = check.since;
  }
  if (since !== undefined) draw(check.state, since, now);
  return paths;
}

function bar(x, width, height) {
  const top = CHART_HEIGHT - height;
  return `M${x.toFixed(1)} ${top.toFixed(1)}h${width.toFixed(1)}V${CHART_HEIGHT}h-${width.toFixed(1)}z`;
}
