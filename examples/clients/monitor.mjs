// Follows a service by its event stream, until it is deployed anew.
//
//     node monitor.mjs http://127.0.0.1:8000
//
// Prints a line for each change; one that begins with ALARM is for a person. Exit status: 0 the
// service is being deployed, so start again; 1 the stream broke off without a word; 2 it could not
// begin. Needs Node 18 or later and no package: Node has `fetch`, and no EventSource that is stable.

const [DEPLOYED, LOST, UNKNOWN] = [0, 1, 2];

// The service writes at least every 4 s.
const SILENCE_MS = 10_000;

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(UNKNOWN);
}

function line({ status, checks = {} }) {
  // A deploy looks unhealthy to a balancer, and must not ring the alarm.
  if (checks.$drain) return "being deployed";
  const failing = Object.entries(checks)
    .filter(([, { state }]) => state !== "healthy")
    .map(([name, { message }]) => (message ? `${name} (${message})` : name));
  const text = failing.length > 0 ? `${status}: ${failing.join(", ")}` : status;
  return status === "unhealthy" ? `ALARM ${text}` : text;
}

// The data of each event. Comments only keep the connection alive.
async function* events(body, alive) {
  let text = "";
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    alive();
    const blocks = (text + chunk).split("\n\n");
    text = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("data: ")) yield JSON.parse(block.slice("data: ".length));
    }
  }
}

if (typeof fetch !== "function") fail("Node 18 or later is needed: https://nodejs.org");
const [, , argument, ...more] = process.argv;
if (!/^https?:\/\//.test(argument ?? "") || more.length > 0) {
  fail("expected the URL of a service, e.g. node monitor.mjs http://127.0.0.1:8000");
}
const url = argument.replace(/\/+$/, "");
const silence = new AbortController();
const timer = setTimeout(() => silence.abort(new Error("no sign of life for 10 s")), SILENCE_MS);

let last;
let reason = "ended";
try {
  const response = await fetch(`${url}/health/$stream?on=change`, { signal: silence.signal });
  // 503: `max_streams` are open, or a balancer has no instance.
  if (response.status !== 200) fail(`${url}/health/$stream answers ${response.status}`);
  if (!response.headers.get("content-type")?.startsWith("text/event-stream")) {
    fail(`${url}/health/$stream is not an event stream`);
  }
  for await (const report of events(response.body, () => timer.refresh())) {
    last = line(report);
    console.log(last);
  }
} catch (error) {
  reason = error.cause?.message || error.cause?.code || error.message;
  if (last === undefined) fail(`no answer from ${url}: ${reason}`);
}
clearTimeout(timer);
if (last === "being deployed") process.exit(DEPLOYED);
console.log(`ALARM ${url} has ended its stream without a word`);
process.exit(LOST);
