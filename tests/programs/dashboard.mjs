// The dashboard of a running service, as a real browser shows it.
//
//     NODE_PATH=.../node_modules node dashboard.mjs http://127.0.0.1:8000 [screenshots]
//
// The first argument is where the service's router is; the page is `/health/$ui` below it.
// With a directory as the second argument, screenshots are left there. NODE_PATH holds
// `playwright-core` and `axe-core`; the browser is Debian's, or the one named in CHROMIUM.
//
// Whoever runs this controls the service. A line on stdout that begins with `> ` asks for
// something, and the script goes on when a line has come back on stdin:
//
//     > set NAME STATE [MESSAGE]    from now on the check NAME reports this
//     > details full|states|status  how much the service tells, from the next request on
//     > fail CODE                   every request under `/health` but the page is answered with
//                                   CODE, open streams are cut; 0 ends this
//     > stop                        the service is gone, its port refuses connections
//     > start                       it is back on the same address, every check healthy
//     > drain                       it drains; it goes on answering
//
// The service has at least 100 checks, all healthy, `redis` and `database` among them; `redis` alone
// has the tag `cache`. Results may be cached for at most 500 ms. The exit status is 0 if everything holds; otherwise the failed
// assertion stands on stderr.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { gzipSync } from "node:zlib";

const require = createRequire(import.meta.url);
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const [base, screenshots] = process.argv.slice(2);
assert(base, "usage: node dashboard.mjs BASE-URL [SCREENSHOTS]");
const health = `${base.replace(/\/$/, "")}/health`;

/** From the arrival of an event to the frame that shows it, in milliseconds. */
const SHOWN_WITHIN = 150;
const LARGEST_PAGE = 40 * 1024;
/** What browsers call a long task, in milliseconds. */
const LONG_TASK = 50;
/** An address that no browser connects to. */
const NOWHERE = "127.0.0.1:1";
/** How long anything may take that is only waited for. */
const PATIENCE = 20_000;
const THEMES = [
  { colorScheme: "light" },
  { colorScheme: "dark" },
  { forcedColors: "active" },
];

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(request) {
  console.log(`> ${request}`);
  const { done } = await answers.next();
  assert(!done, `no answer to: ${request}`);
}

/** Runs before the page's own script: notes events as they arrive. */
function observe() {
  window.events = [];
  window.EventSource = class extends EventSource {
    constructor(...all) {
      super(...all);
      this.addEventListener("message", ({ data }) => window.events.push({ at: performance.now(), data }));
    }
  };
  /** Resolves with the time of the frame in which the row of `name` has the state. */
  window.shown = (name, state) => new Promise((resolve) => {
    const look = () => {
      const button = [...document.querySelectorAll(".check h4 button")].find((it) => it.textContent === name);
      if (button?.closest(".check").dataset.state !== state) return;
      observer.disconnect();
      requestAnimationFrame(() => setTimeout(() => resolve(performance.now())));
    };
    const observer = new MutationObserver(look);
    observer.observe(document.body, { subtree: true, childList: true, attributes: true });
    look();
  });
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox"],
});

/** The page in a tab of its own; an error of the page fails the test. */
async function open(options = {}, address = "$ui") {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(PATIENCE);
  tab.on("pageerror", (error) => assert.fail(`the page threw ${error.stack}`));
  tab.on("console", (message) => {
    assert(!/Content.Security.Policy|Trusted/i.test(message.text()), message.text());
  });
  tab.on("request", (request) => {
    const url = new URL(request.url());
    const isAllowed = url.protocol === "data:" || [new URL(health).host, NOWHERE].includes(url.host);
    assert(isAllowed, `the page asked for ${url}`);
  });
  await tab.addInitScript(observe);
  const response = await tab.goto(`${health}/${address}`);
  assert.equal(response.status(), 200);
  assert(gzipSync(await response.body()).length <= LARGEST_PAGE, "the page is too large");
  const policy = response.headers()["content-security-policy"];
  assert.match(policy, /^default-src 'none'; /);
  assert.doesNotMatch(policy, /unsafe/);
  await tab.waitForFunction(() => window.events.length > 0);
  return tab;
}

const headline = (tab, word) => tab.locator(".head .word", { hasText: word }).waitFor();
const row = (tab, name) => tab.locator(".check").filter({ has: tab.locator(`h4 button:text-is("${name}")`) });
const texts = (tab, selector) => tab.locator(selector).allTextContents();

async function scenario(name, run) {
  console.log(`- ${name}`);
  try {
    await run();
  } catch (error) {
    error.message = `${name}: ${error.message}`;
    throw error;
  }
}

await scenario("all checks are shown, and the page says that they are healthy", async () => {
  const tab = await open();
  await headline(tab, "Healthy");
  const { checks } = JSON.parse(await tab.evaluate(() => window.events[0].data));
  const names = Object.keys(checks);
  assert(names.length >= 100, `${names.length} checks`);
  await tab.waitForFunction((count) => document.querySelectorAll(".check").length === count, names.length);
  assert.deepEqual((await texts(tab, ".check h4 button")).sort(), names.sort());
  assert.match(await tab.title(), /^Healthy/);
  assert.match(await tab.getAttribute("link[rel=icon]", "href"), /^data:image\/svg\+xml,/);
  await tab.context().close();
});

await scenario("the page works under each of its addresses", async () => {
  for (const address of ["$ui/", "%24ui", "%24ui/"]) {
    const tab = await open({}, address);
    await headline(tab, "Healthy");
    await tab.context().close();
  }
});

await scenario("services stand side by side, and one without a connection hides no other", async () => {
  const tab = await open({}, `$ui?watch=${NOWHERE}&watch=ftp://other`);
  await headline(tab, "Healthy");
  await headline(tab, "No connection");
  assert.deepEqual(await texts(tab, ".word"), ["Healthy", "No connection"]);
  assert.match(await tab.title(), /^No connection · 2 services$/);
  await tab.getByText("Invalid watch address ftp://other").waitFor();
  await tab.context().close();
});

await scenario("a change is shown in time, worst first, with its message as text", async () => {
  const tab = await open();
  await headline(tab, "Healthy");
  const icon = await tab.getAttribute("link[rel=icon]", "href");
  for (const [state, word] of [["degraded", "Degraded"], ["unhealthy", "Unhealthy"]]) {
    const message = `<img src=x onerror=alert(1)> & "${state}"`;
    const shown = tab.evaluate((wanted) => window.shown("redis", wanted), state);
    await ask(`set redis ${state} ${message}`);
    const at = await shown;
    const arrived = await tab.evaluate((wanted) => window.events
      .find(({ data }) => JSON.parse(data).checks?.redis?.state === wanted).at, state);
    console.log(`  shown ${Math.round(at - arrived)} ms after the event`);
    assert(at - arrived < SHOWN_WITHIN, `shown ${at - arrived} ms after the event`);
    await headline(tab, word);
    assert.match(await tab.title(), new RegExp(`^${word}`));
    assert.notEqual(await tab.getAttribute("link[rel=icon]", "href"), icon);
    assert.equal((await texts(tab, ".check h4 button"))[0], "redis");
    await row(tab, "redis").getByText(message, { exact: true }).waitFor();
    assert.equal(await tab.locator("img").count(), 0);
  }
  await row(tab, "redis").locator("button").click();
  await tab.locator(".transitions li").filter({ hasText: "degraded → unhealthy" }).waitFor();
  await tab.locator("#announce").filter({ hasText: /unhealthy/i }).waitFor();
  await tab.context().close();
});

await scenario("axe finds nothing in light, dark and forced colours", async () => {
  await ask("set database degraded slow: 412 ms");
  for (const theme of THEMES) {
    for (const viewport of [{ width: 1280, height: 800 }, { width: 390, height: 844 }]) {
      const tab = await open({ ...theme, viewport });
      await headline(tab, "Unhealthy");
      await row(tab, "redis").locator("button").click();
      await tab.locator(".log summary").click();
      await tab.locator('.states button[data-state="degraded"]').click();
      await tab.locator('.states button[data-state="unhealthy"]').click();
      await axeFindsNothing(tab, theme);
      await tab.locator("#clear").click();
      await axeFindsNothing(tab, theme);
      const name = `${Object.values(theme)[0]}-${viewport.width}`;
      if (screenshots) await tab.screenshot({ path: `${screenshots}/${name}.png` });
      await tab.context().close();
    }
  }
});

async function axeFindsNothing(tab, theme) {
  if (!await tab.evaluate(() => "axe" in window)) await tab.evaluate(axe);
  const { violations, passes } = await tab.evaluate(() => window.axe.run());
  const found = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html}`));
  assert.deepEqual(found, [], JSON.stringify(theme));
  assert(passes.length > 10);
}

await scenario("search and filters stand in the address, and say what they hide", async () => {
  const tab = await open();
  await tab.fill("#search", "redis");
  await row(tab, "database").waitFor({ state: "detached" });
  await tab.locator(".filtered", { hasText: "1 of them not healthy" }).waitFor();
  await tab.locator('.states button[data-state="unhealthy"]').click();
  await tab.selectOption("#tag", "cache");
  const { search } = new URL(tab.url());
  assert.equal(search, "?q=redis&tag=cache&state=unhealthy");
  const other = await open({}, `$ui${search}`);
  await row(other, "redis").waitFor();
  assert.deepEqual(await texts(other, ".check h4 button"), ["redis"]);
  await other.locator("#clear").click();
  await row(other, "database").waitFor();
  assert.equal(new URL(other.url()).search, "");
  await row(other, "redis").locator("h4 button").click();
  await row(other, "redis").locator(".tag", { hasText: "cache" }).click();
  await row(other, "database").waitFor({ state: "detached" });
  assert.equal(new URL(other.url()).search, "?tag=cache");
  await other.context().close();
  await tab.context().close();
});

await scenario("the report is copied as Markdown", async () => {
  const tab = await open({ permissions: ["clipboard-read", "clipboard-write"] });
  await headline(tab, "Unhealthy");
  await tab.click("#copy");
  await tab.locator("#copy", { hasText: "Copied" }).waitFor();
  const copied = await tab.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /\*\*Unhealthy\*\*/);
  assert.match(copied, /^- .*`redis` unhealthy for .*: `<img/m);
  assert.match(copied, /^- .*`database` degraded for .*: `slow: 412 ms`/m);
  // As over plain HTTP, where a page has no clipboard.
  await tab.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); });
  await tab.click("#copy");
  await axeFindsNothing(tab, "dialog");
  assert.match(await tab.inputValue("dialog textarea"), /\*\*Unhealthy\*\*/);
  await tab.click("dialog button");
  await tab.locator("dialog").waitFor({ state: "hidden" });
  await tab.context().close();
});

await scenario("everything can be reached and used by keyboard", async () => {
  const tab = await open();
  await headline(tab, "Unhealthy");
  const reached = [];
  for (let presses = 0; presses < 12; presses += 1) {
    await tab.keyboard.press("Tab");
    reached.push(await tab.evaluate(() => document.activeElement.id || document.activeElement.textContent));
  }
  for (const wanted of ["search", "tag", "range", "copy", "redis"]) {
    assert(reached.includes(wanted), `${wanted} is not among ${reached}`);
  }
  await row(tab, "redis").locator("button").focus();
  await tab.keyboard.press("Enter");
  await row(tab, "redis").locator("dl").waitFor();
  // A row that moves keeps the focus.
  await ask("set redis healthy");
  await tab.locator(".good").locator("h4 button:text-is('redis')").waitFor();
  assert.equal(await tab.evaluate(() => document.activeElement.textContent), "redis");
  await tab.context().close();
});

await scenario("100 checks take no long task, while they are shown and while they change", async () => {
  const longest = [];
  for (let load = 0; load < 3; load += 1) {
    await browser.startTracing(undefined, { categories: ["toplevel", "devtools.timeline"] });
    const tab = await open();
    await row(tab, "redis").waitFor();
    const names = Object.keys(JSON.parse(await tab.evaluate(() => window.events[0].data)).checks);
    await tab.waitForFunction((count) => document.querySelectorAll(".check").length === count, names.length);
    for (const state of ["unhealthy", "healthy", "degraded", "healthy"]) {
      await ask(`set redis ${state} load ${load}`);
      await tab.evaluate((wanted) => window.shown("redis", wanted), state);
    }
    // As when what all of them depend on fails, and comes back.
    for (const state of ["unhealthy", "healthy"]) {
      for (const name of names) await ask(`set ${name} ${state} load ${load}`);
      const group = state === "healthy" ? ".good" : ".bad";
      await tab.waitForFunction(
        ([rows, count]) => document.querySelectorAll(rows).length === count,
        [`${group} .check[data-state="${state}"]`, names.length],
      );
    }
    const trace = JSON.parse(await browser.stopTracing()).traceEvents;
    longest.push(longestTask(trace));
    await tab.context().close();
  }
  console.log(`  longest tasks, in milliseconds of processor time: ${longest.map((ms) => ms.toFixed(1))}`);
  assert(longest.every((ms) => ms < LONG_TASK), `long tasks: ${longest}`);
});

/**
 * The longest task of the page's thread, in milliseconds of processor time: by the clock, any task is
 * long once on a machine that is busy with something else.
 */
function longestTask(trace) {
  const { pid, tid } = trace.find(({ name, args }) =>
    name === "ParseHTML" && args.beginData?.url.startsWith(health));
  const tasks = trace.filter((event) =>
    event.pid === pid && event.tid === tid && event.name.endsWith("RunTask") && event.tdur !== undefined);
  assert(tasks.length > 100, `${tasks.length} tasks in the trace`);
  return Math.max(...tasks.map(({ tdur }) => tdur)) / 1000;
}

await scenario("what a reader may not see is not on the page", async () => {
  const secret = "only for the full reader";
  await ask(`set redis unhealthy ${secret}`);
  await ask("details states");
  let tab = await open();
  await headline(tab, "Unhealthy");
  await row(tab, "redis").locator(".state", { hasText: "unhealthy" }).waitFor();
  await row(tab, "redis").locator("button").click();
  await tab.locator(".log summary").click();
  assert.doesNotMatch(await tab.content(), new RegExp(secret));
  await tab.context().close();
  await ask("details status");
  tab = await open();
  await headline(tab, "Unhealthy");
  await tab.locator(".empty").waitFor();
  assert.equal(await tab.locator(".check").count(), 0);
  assert.doesNotMatch(await tab.content(), /redis/);
  await tab.context().close();
  await ask("details full");
});

await scenario("a lost connection is said, and regained after a restart and after an error", async () => {
  const tab = await open();
  await row(tab, "redis").waitFor();
  const link = (text) => tab.locator(".link", { hasText: text }).waitFor();
  await ask("stop");
  await link("Connection lost");
  await headline(tab, "No connection");
  assert.match(await tab.title(), /^No connection/);
  assert.match(await tab.locator(".counts").textContent(), /^Last known .*unhealthy/);
  await ask("start");
  await link("Live again");
  await headline(tab, "Healthy");
  // An EventSource that got one of these stays closed for good.
  for (const code of [503, 502]) {
    await ask(`fail ${code}`);
    await link(`HTTP ${code}`);
    await ask("fail 0");
    await link("Live");
    await headline(tab, "Healthy");
  }
  await tab.context().close();
});

await scenario("draining is said, by a stream that was open and by a new one", async () => {
  const early = await open();
  await headline(early, "Healthy");
  await ask("drain");
  const late = await open();
  for (const tab of [early, late]) {
    await headline(tab, "Draining");
    await tab.locator(".notice", { hasText: "Draining" }).waitFor();
    assert.match(await tab.title(), /^Draining/);
    await tab.context().close();
  }
});

await browser.close();
process.exit(0);
