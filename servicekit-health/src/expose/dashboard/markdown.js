// The report as text for an incident channel.

const LAST_TRANSITIONS = 10;
const MARKS = { unhealthy: "❌", degraded: "⚠️", healthy: "✅" };

/** Everything that is not well, and what changed last, whatever the filters hide. */
function markdown(panels) {
  return panels.map(serviceMarkdown).join("\n\n");
}

function serviceMarkdown(panel) {
  const { service } = panel;
  const state = panel.state();
  const mark = MARKS[state] ? `${MARKS[state]} ` : "";
  const name = [service.title, service.version].filter(Boolean).join(" ");
  const lines = [`${mark}**${capitalized(state === "lost" ? "no connection" : state)}**: ${code(name)} at ${utc(Date.now())}`];
  const summary = panel.summary(state);
  if (summary) lines.push(summary);
  if (service.isDrill) lines.push("Drill: some results are simulated.");
  const checks = [...service.checks.values()]
    .filter((check) => check.state !== "healthy")
    .sort((a, b) => severity(a.state) - severity(b.state) || (a.since ?? 0) - (b.since ?? 0));
  if (checks.length) lines.push("", ...checks.map((check) => checkMarkdown(check, service)));
  const last = service.transitions.slice(-LAST_TRANSITIONS).reverse();
  if (last.length) lines.push("", "Last transitions:", ...last.map(transitionMarkdown));
  return lines.join("\n");
}

function checkMarkdown(check, service) {
  const since = check.since === undefined ? ""
    : ` for ${span(service.now() - check.since)} (since ${utc(check.since)})`;
  const message = check.message ? `: ${code(check.message)}` : "";
  return `- ${MARKS[check.state] ?? ""} ${code(check.name)} ${check.state}${since}${message}`;
}

function transitionMarkdown({ at, check, from, to, message }) {
  const change = from ? `${from} → ${to}` : to;
  return `- ${utc(at)} ${code(check)} ${change}${message ? `: ${code(message)}` : ""}`;
}

/** Pages that came over plain HTTP have no clipboard: then the reader copies. */
async function copy(value) {
  try {
    await navigator.clipboard.writeText(value);
    return true;
  } catch {
    const dialog = document.getElementById("markdown");
    const area = dialog.querySelector("textarea");
    area.value = value;
    dialog.showModal();
    area.focus();
    area.select();
    return false;
  }
}
