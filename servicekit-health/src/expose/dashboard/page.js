// The page: which services, the filters in the address, title and icon, what is announced.

const ANNOUNCE_PAUSE = 5 * SECOND;
const NAMED_IN_ANNOUNCEMENT = 3;
const DEFAULT_RANGE = 3600;

/** The filters, which stand in the address so that it can be handed on. */
class Filters {
  constructor(changed) {
    this.changed = changed;
    this.controls = {
      search: document.getElementById("search"),
      tag: document.getElementById("tag"),
      range: document.getElementById("range"),
      clear: document.getElementById("clear"),
      states: [...document.querySelectorAll(".states button")],
    };
    this.read();
    const { search, tag, range, clear, states } = this.controls;
    search.addEventListener("input", () => this.set({ q: search.value }));
    tag.addEventListener("change", () => this.set({ tag: tag.value }));
    range.addEventListener("change", () => this.set({ seconds: Number(range.value) }));
    clear.addEventListener("click", () => {
      this.set({ q: "", tag: "", states: new Set() });
      search.focus();
    });
    for (const button of states) {
      button.addEventListener("click", () => this.toggle(button.dataset.state));
    }
  }

  get range() {
    return this.seconds * SECOND;
  }

  read() {
    const query = new URLSearchParams(location.search);
    this.q = query.get("q") ?? "";
    this.tag = query.get("tag") ?? "";
    this.states = new Set(query.getAll("state").filter((state) => STATES.includes(state)));
    const seconds = Number(query.get("range"));
    const ranges = [...this.controls.range.options].map((option) => Number(option.value));
    this.seconds = ranges.includes(seconds) ? seconds : DEFAULT_RANGE;
    this.show();
  }

  set(values) {
    Object.assign(this, values);
    const query = new URLSearchParams(location.search);
    for (const key of ["q", "tag", "state", "range"]) query.delete(key);
    if (this.q) query.set("q", this.q);
    if (this.tag) query.set("tag", this.tag);
    for (const state of this.states) query.append("state", state);
    if (this.seconds !== DEFAULT_RANGE) query.set("range", this.seconds);
    history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
    this.show();
    this.changed();
  }

  toggle(state) {
    const states = new Set(this.states);
    if (!states.delete(state)) states.add(state);
    this.set({ states });
  }

  show() {
    const { search, range, clear, states } = this.controls;
    if (search.value !== this.q) search.value = this.q;
    range.value = this.seconds;
    this.offerTags(new Set());
    clear.hidden = !(this.q || this.tag || this.states.size);
    for (const button of states) set(button, "aria-pressed", String(this.states.has(button.dataset.state)));
    this.words = this.q.toLowerCase().split(/\s+/).filter(Boolean);
  }

  /** The tags that the services have; the chosen one stays, whether anything has it or not. */
  offerTags(tags) {
    const { tag: control } = this.controls;
    this.tags = new Set([...(this.tags ?? []), ...tags, ...(this.tag ? [this.tag] : [])]);
    if (control.options.length !== this.tags.size + 1) {
      const options = [...this.tags].sort().map((tag) => new Option(tag, tag));
      control.replaceChildren(control.options[0], ...options);
    }
    control.value = this.tag;
    control.disabled = this.tags.size === 0;
  }

  accepts(check) {
    if (this.states.size && !this.states.has(STATES[severity(check.state)])) return false;
    if (this.tag && !check.tags.includes(this.tag)) return false;
    if (!this.words.length) return true;
    const all = [check.name, check.message, check.description, ...check.tags].join("\n").toLowerCase();
    return this.words.every((word) => all.includes(word));
  }
}

const COLOURS = {
  healthy: "#1a7f37", degraded: "#b26a00", unhealthy: "#cf222e", draining: "#6639ba", unknown: "#6e7781",
};

/** The icon of the tab: the shape of the headline, in a colour that shows on light and dark. */
function icon(state) {
  const shape = document.getElementById(state).innerHTML
    .replaceAll('class="mark"', 'fill="none" stroke="#fff" stroke-width="2"')
    .replaceAll('class="ring"', `fill="none" stroke="${COLOURS[state]}" stroke-width="2"`);
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="${COLOURS[state]}">${shape}</svg>`;
  return `data:image/svg+xml,${encodeURIComponent(svg)}`;
}

/** What a page of several services is as a whole: the worst of them. */
const WORST = ["unhealthy", "lost", "draining", "degraded", "connecting", "healthy"];

class Page {
  constructor() {
    this.panels = [];
    this.filters = new Filters(() => this.render());
    const interval = pollInterval();
    const main = document.getElementById("services");
    for (const base of bases()) {
      const service = new Service(base, interval, (it) => this.changed(it));
      const panel = new Panel(service, this.filters, (tag) => this.filters.set({ tag }));
      this.panels.push(panel);
      main.append(panel.element);
    }
    main.classList.toggle("several", this.panels.length > 1);
    this.told = new Map();
    this.announced = -Infinity;
    this.render();
    this.wire();
  }

  wire() {
    const button = document.getElementById("copy");
    button.addEventListener("click", async () => {
      if (!await copy(markdown(this.panels))) return;
      button.textContent = "Copied";
      put(document.getElementById("announce"), "Copied");
      setTimeout(() => { button.textContent = "Copy as Markdown"; }, 2 * SECOND);
    });
    setInterval(() => this.tick(), SECOND);
    document.addEventListener("visibilitychange", () => this.render());
    addEventListener("online", () => this.services().forEach((service) => service.retry()));
    // A page that the browser keeps for its back button holds no stream.
    addEventListener("pagehide", () => this.services().forEach((service) => service.close()));
    addEventListener("pageshow", (event) => {
      if (event.persisted) this.services().forEach((service) => service.open());
    });
    put(document.getElementById("zone"), zone());
    put(document.getElementById("address"), location.href);
  }

  services() {
    return this.panels.map((panel) => panel.service);
  }

  changed(service) {
    this.panels.find((panel) => panel.service === service)?.render();
    this.renderWhole();
  }

  render() {
    for (const panel of this.panels) panel.render();
    this.renderWhole();
  }

  tick() {
    for (const panel of this.panels) {
      panel.service.tick();
      panel.tick();
    }
    this.renderWhole();
  }

  /** Title, icon and numbers of all services together. */
  renderWhole() {
    const states = this.panels.map((panel) => panel.state());
    const worst = WORST.find((state) => states.includes(state)) ?? states[0];
    const total = { unhealthy: 0, degraded: 0, healthy: 0 };
    for (const service of this.services()) {
      const counts = service.counts();
      for (const state of STATES) total[state] += counts[state];
      this.filters.offerTags([...service.checks.values()].flatMap((check) => check.tags));
    }
    for (const button of this.filters.controls.states) {
      put(button.querySelector("b"), String(total[button.dataset.state]));
    }
    const bad = total.unhealthy + total.degraded;
    const word = { lost: "No connection", connecting: "Connecting" }[worst] ?? capitalized(worst);
    const names = this.services().map((service) => service.title);
    const where = names.length > 1 ? `${names.length} services` : names[0];
    const title = `${word}${bad && worst !== "lost" ? ` (${bad})` : ""} · ${where}`;
    if (document.title !== title) document.title = title;
    const shape = worst === "draining" ? worst : known(worst);
    if (this.icon !== shape) {
      this.icon = shape;
      document.querySelector("link[rel=icon]").href = icon(shape);
    }
    this.announce();
  }

  /** Tells a screen reader what changed, in one sentence at a time and not every second. */
  announce() {
    if (performance.now() - this.announced < ANNOUNCE_PAUSE) return;
    const news = [];
    const seen = new Map();
    for (const panel of this.panels) {
      const { service } = panel;
      const prefix = this.panels.length > 1 ? `${service.title}: ` : "";
      const state = panel.state();
      if (state === "connecting") continue;
      seen.set(panel, state);
      if (this.told.get(panel) !== state) news.push(prefix + panel.parts.word.textContent);
      for (const { name, state: now } of service.checks.values()) {
        const key = `${service.base} ${name}`;
        seen.set(key, now);
        const before = this.told.get(key);
        if (before && before !== now) news.push(`${prefix}${name} is ${now}`);
      }
    }
    this.told = seen;
    if (!news.length) return;
    this.announced = performance.now();
    const rest = news.length - NAMED_IN_ANNOUNCEMENT;
    const more = rest > 0 ? `, and ${plural(rest, "more change")}` : "";
    put(document.getElementById("announce"), news.slice(0, NAMED_IN_ANNOUNCEMENT).join(", ") + more);
  }
}

/** The seconds between events; the service allows 0.1 to 3600. */
function pollInterval() {
  const seconds = Number(new URLSearchParams(location.search).get("poll_interval") ?? 1);
  return seconds >= 0.1 && seconds <= 3600 ? seconds : 1;
}

/** `/health` of this service, wherever its router is nested, and of those to `watch`. */
function bases() {
  const own = location.origin + location.pathname.replace(/\/(\$|%24)ui\/?$/i, "");
  const all = [own];
  for (const address of new URLSearchParams(location.search).getAll("watch")) {
    const base = watched(address);
    if (base) all.push(base);
    else refuse(address);
  }
  return [...new Set(all)];
}

/** The address of a service, with or without its scheme and its `/health`. */
function watched(address) {
  const trimmed = address.trim().replace(/\/+$/, "");
  const isWhole = /^\/|^[a-z][a-z+.-]*:\/\//i.test(trimmed);
  const whole = isWhole ? trimmed : `${location.protocol}//${trimmed}`;
  if (!trimmed || !URL.canParse(whole, location.origin)) return undefined;
  const url = new URL(whole, location.origin);
  if (!/^https?:$/.test(url.protocol)) return undefined;
  const path = url.pathname.replace(/\/(\$|%24)\w+$/i, "").replace(/\/+$/, "");
  return url.origin + (path.endsWith("/health") ? path : `${path}/health`);
}

function refuse(address) {
  const problem = `Invalid watch address ${address || "(empty)"}; expected for example https://other or https://other/prefix.`;
  document.getElementById("services").before(make("p", problem, "notice"));
}

// In a task of its own, so that neither this nor what the browser does at the end of the document
// is a long one.
setTimeout(() => new Page());
