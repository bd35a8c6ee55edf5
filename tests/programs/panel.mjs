// The live panel of examples/deploy/grafana in a real browser.
//
//     NODE_PATH=.../node_modules node panel.mjs PAGE-URL
//
// Prints `> TEXT` once the panel shows each of the texts that are read from stdin, one a line, and
// ends with status 0 when stdin does. NODE_PATH holds `playwright-core`; the browser is Debian's.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { chromium } = createRequire(import.meta.url)("playwright-core");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update"],
});
try {
  const page = await browser.newPage();
  await page.goto(process.argv[2], { waitUntil: "commit" });
  for await (const wanted of createInterface({ input: process.stdin })) {
    await page.waitForFunction(
      (text) => document.querySelector("[data-stream]")?.textContent.startsWith(text),
      wanted,
      { timeout: 20_000 },
    );
    console.log(`> ${wanted}`);
  }
} finally {
  await browser.close();
}
