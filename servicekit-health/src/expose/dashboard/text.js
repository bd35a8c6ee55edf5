// Values as short texts. Nothing here touches the page.

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** A moment within this time is told from every other by its clock alone. */
const RECENT = DAY - HOUR;

/** The states, worst first. */
const STATES = ["unhealthy", "degraded", "healthy"];

/** How bad a state is: 0 is the worst. A state that this page does not know is not well either. */
function severity(state) {
  const index = STATES.indexOf(state);
  return index < 0 ? 0 : index;
}

/** A state as a class or symbol of this page. */
function known(state) {
  return STATES.includes(state) ? state : "unknown";
}

function capitalized(word) {
  return word.charAt(0).toUpperCase() + word.slice(1);
}

function plural(count, noun) {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** How long something took: "0.4 ms", "12 ms", "1.2 s". */
function took(ms) {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < MINUTE) return `${(ms / SECOND).toFixed(1)} s`;
  return span(ms);
}

/** How long something has lasted: "42 s", "3 min", "2 h 5 min", "4 d 3 h". */
function span(ms) {
  const both = (large, unit, small, lesser) => {
    const first = Math.floor(ms / large);
    const second = Math.floor((ms % large) / small);
    return second ? `${first} ${unit} ${second} ${lesser}` : `${first} ${unit}`;
  };
  if (ms < MINUTE) return `${Math.max(0, Math.floor(ms / SECOND))} s`;
  if (ms < 10 * MINUTE) return both(MINUTE, "min", SECOND, "s");
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < DAY) return both(HOUR, "h", MINUTE, "min");
  return both(DAY, "d", HOUR, "h");
}

function ago(ms) {
  return ms < 1500 ? "just now" : `${span(ms)} ago`;
}

const two = (value) => String(value).padStart(2, "0");

/**
 * A moment in the reader's time zone, with its day where the time alone could be another one.
 * `Intl` would take 20 ms to begin with.
 */
function clock(time, now) {
  const date = new Date(time);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  if (now - time < RECENT) return `${minutes}:${two(date.getSeconds())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${minutes}`;
}

/** The reader's time zone: "UTC", "UTC+05:30". */
function zone() {
  const offset = -new Date().getTimezoneOffset();
  if (offset === 0) return "UTC";
  const minutes = Math.abs(offset);
  return `UTC${offset < 0 ? "-" : "+"}${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** A moment for readers in any time zone. */
function utc(time) {
  return `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}

/** A time on the wire in milliseconds, or `undefined`. */
function parseTime(text) {
  const time = Date.parse(text);
  return Number.isNaN(time) ? undefined : time;
}

/** A number on the wire, or `undefined`. */
function number(value) {
  return Number.isFinite(value) ? value : undefined;
}

/** A text on the wire; nothing else is one. */
function text(value) {
  return typeof value === "string" ? value : "";
}

/** Any text as a Markdown code span: what a message says stays what it says. */
function code(value) {
  const line = value.replace(/\s+/g, " ").trim();
  const runs = line.match(/`+/g) ?? [];
  const fence = "`".repeat(Math.max(0, ...runs.map((run) => run.length)) + 1);
  const pad = line.startsWith("`") || line.endsWith("`") ? " " : "";
  return line && `${fence}${pad}${line}${pad}${fence}`;
}

/** "2 unhealthy, 1 degraded, 97 healthy", without what is zero. */
function countsText(counts) {
  return STATES.filter((state) => counts[state]).map((state) => `${counts[state]} ${state}`).join(", ");
}
