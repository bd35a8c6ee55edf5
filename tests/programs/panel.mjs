// Pages that show the state of a service, in a real browser: the live panel of examples/deploy/grafana,
// the page of examples/clients/browser.
//
//     NODE_PATH=.../node_modules node panel.mjs PAGE-URL [PAGE-URL...]
//
// Prints `> TEXT` once all pages show each of the texts that are read from stdin, one a line, and
// ends with status 0 when stdin does. NODE_PATH holds `playwright-core`; the browser is Debian's.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { chromium } = createRequire(import.meta.url)("playwright-core");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
});
try {
  const pages = [];
  for (const url of process.argv.slice(2)) {
    const page = await browser.newPage();
    await page.goto(url, { waitUntil: "commit" });
    pages.push(page);
  }
  const shows = (page, wanted) =>
    page.waitForFunction(
      (text) => document.querySelector("[role=status]")?.textContent.startsWith(text),
      wanted,
      // A page in the background has no frames.
      { timeout: 20_000, polling: 50 },
    );
  for await (const wanted of createInterface({ input: process.stdin })) {
    await Promise.all(pages.map((page) => shows(page, wanted)));
    console.log(`> ${wanted}`);
  }
} finally {
  await browser.close();
}
