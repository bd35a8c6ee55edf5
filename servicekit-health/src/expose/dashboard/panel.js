// One service on the page: its overall state, and its checks with those that are not well first.

/** How long rows are written before the browser gets its turn, in milliseconds. */
const SLICE = 8;
/**
 * How much a slice may give the browser to lay out and paint, which takes longer than writing it. A
 * row that gets new contents costs 1.
 */
const BUDGET = 30;
const COST_NEW = 6;
const COST_MOVED = 3;
/** How many rows in another state show that before anything else. */
const CHANGED_FIRST = 10;
/** How long a connection is missing before the state counts as unknown. */
const GRACE = 2 * SECOND;
/** A report that is younger has just been shown. */
const FRESH = 1.5 * SECOND;
/** How long a regained connection is mentioned. */
const REGAINED_SHOWN = 30 * SECOND;
const LOG_SHOWN = 100;

class Panel {
  constructor(service, filters, chooseTag) {
    this.service = service;
    this.filters = filters;
    this.chooseTag = chooseTag;
    this.rows = new Map();
    /** The checks in the order to come, from the first whose row may not be where it belongs. */
    this.queue = [];
    /** Names of rows with old contents. Those that have waited longest come first. */
    this.outdated = new Set();
    this.element = document.getElementById("panel").content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    this.parts = {
      use: find(".head use"), heading: find("h2"), word: find(".word"), service: find(".service"),
      counts: find(".counts"), link: find(".link"), notice: find(".notice"), drill: find(".drill"),
      filtered: find(".filtered"), columns: find(".columns"), axis: find(".axis span"),
      empty: find(".empty"), log: find(".log"), summary: find("summary"), list: find(".log ol"),
    };
    this.groups = ["bad", "good"].map((name) => {
      const element = find(`.${name}`);
      return { element, heading: element.firstElementChild, list: element.lastElementChild };
    });
    this.parts.heading.id = `service-${Panel.count += 1}`;
    this.element.setAttribute("aria-labelledby", this.parts.heading.id);
    this.parts.log.addEventListener("toggle", () => this.renderLog());
  }

  static count = 0;

  /** What the headline says: a state, or why there is none. */
  state() {
    const { service } = this;
    if (service.status === undefined) return service.link === "lost" ? "lost" : "connecting";
    const isLost = service.link === "lost" && service.silence() > GRACE;
    if (isLost) return "lost";
    return service.drain ? "draining" : service.status;
  }

  render() {
    this.renderHead();
    if (document.hidden) {
      this.queue = [];
      this.outdated.clear();
      return;
    }
    this.queue = this.order();
    this.lasts = this.groups.map(() => null);
    const names = new Set(this.queue.map(({ name }) => name));
    for (const name of this.outdated) if (!names.has(name)) this.outdated.delete(name);
    for (const name of names) this.outdated.add(name);
    // What changed waits for no slice, unless everything did.
    const isChanged = (check) => this.rows.get(check.name)?.isOutdated(check);
    for (const check of this.queue.filter(isChanged).slice(0, CHANGED_FIRST)) this.refresh(check.name);
    if (this.rows.size) this.work();
    else this.workSoon();
    this.renderLog();
  }

  renderHead() {
    const { service, parts } = this;
    const state = this.state();
    const shape = state === "draining" ? state : known(state);
    if (this.element.dataset.state !== shape) {
      this.element.dataset.state = shape;
      parts.use.setAttribute("href", `#${shape}`);
    }
    const words = { lost: "No connection", connecting: "Connecting" };
    put(parts.word, words[state] ?? capitalized(state));
    put(parts.service, service.version ? `${service.title} ${service.version}` : service.title);
    put(parts.counts, this.summary(state));
    put(parts.link, this.linkText());
    this.element.dataset.link = service.link;
    show(parts.notice, this.drainText());
    parts.drill.hidden = !service.isDrill;
    const isEmpty = service.checks.size === 0 && service.status !== undefined;
    show(parts.empty, isEmpty ? "The report lists no checks: none are registered, or this reader may see the status alone." : "");
  }

  /** The second line: how many checks are in which state. */
  summary(state) {
    const { service } = this;
    const { size } = service.checks;
    const counts = size ? `${countsText(service.counts())} of ${plural(size, "check")}` : "";
    const allWell = size === 1 ? "1 check, healthy" : `All ${size} checks are healthy`;
    const isWell = size && service.counts().healthy === size;
    const now = isWell ? allWell : counts;
    if (state !== "lost" || service.heard === undefined) return now;
    const last = service.drain ? "draining" : service.status;
    return `Last known ${ago(service.silence())}: ${last}${now && `. ${now}`}`;
  }

  linkText() {
    const { service } = this;
    const reason = service.reason && `: ${service.reason}`;
    const heard = service.heard === undefined ? ""
      : `Last event ${clock(Date.now() - service.silence(), Date.now())}`;
    const lasted = performance.now() - service.linkSince;
    switch (service.link) {
      case "live": {
        const isNews = service.outage !== undefined && lasted < REGAINED_SHOWN;
        const live = isNews ? `Live again after ${span(service.outage)}` : "Live";
        return `${live}${reason}. ${heard}`;
      }
      case "polling": return `Stream not available, polling. ${heard}`;
      case "ended": return `The service ends its streams. ${heard}`;
      case "lost": {
        const lost = heard ? "Connection lost" : "No connection";
        return `${lost}${reason}. Trying again. ${heard}`;
      }
      default: return lasted < GRACE ? "Connecting" : `Connecting for ${span(lasted)}`;
    }
  }

  drainText() {
    const { drain } = this.service;
    if (!drain) return "";
    const began = this.service.byCheck.get("$drain")?.at(-1)?.at;
    const since = began === undefined ? "" : ` for ${span(this.service.now() - began)}`;
    const requests = number(drain.details?.requests_in_flight);
    const open = requests === undefined ? "" : `, ${plural(requests, "request")} in flight`;
    return `Draining${since}: the service is about to end and takes no new traffic${open}.`;
  }

  /** The checks as they are shown: the worst first, and among them those that failed first. */
  order() {
    const compare = (a, b) => severity(a.state) - severity(b.state)
      || (a.state === "healthy" ? 0 : (a.since ?? 0) - (b.since ?? 0))
      || (a.name < b.name ? -1 : 1);
    const checks = [...this.service.checks.values()].sort(compare);
    let hidden = 0;
    let hiddenBad = 0;
    const counts = [0, 0];
    const shown = [];
    for (const check of checks) {
      const group = this.group(check);
      if (this.filters.accepts(check)) {
        counts[group] += 1;
        shown.push(check);
      } else {
        hidden += 1;
        if (group === 0) hiddenBad += 1;
      }
    }
    this.drop(new Set(shown.map(({ name }) => name)));
    this.groups.forEach(({ element, heading }, index) => {
      show(heading, `${index ? "Healthy" : "Not healthy"} (${counts[index]})`);
      element.hidden = counts[index] === 0;
    });
    this.parts.columns.hidden = shown.length === 0;
    put(this.parts.axis, `${span(this.filters.range)} ago`);
    const bad = hiddenBad ? `, ${hiddenBad} of them not healthy` : "";
    show(this.parts.filtered, hidden ? `${plural(hidden, "check")} hidden by the filters${bad}.` : "");
    return shown;
  }

  group(check) {
    return check.state === "healthy" ? 1 : 0;
  }

  /** Rows of checks that are gone or filtered out leave the page. */
  drop(names) {
    for (const [name, row] of this.rows) {
      if (names.has(name)) continue;
      row.element.remove();
      if (!this.service.checks.has(name)) this.rows.delete(name);
    }
  }

  /** Writes rows for as long as a slice lasts, then goes on after the browser has had its turn. */
  work() {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    const until = performance.now() + SLICE;
    let budget = BUDGET;
    const mayGoOn = () => budget > 0 && performance.now() < until;
    const focused = document.activeElement;
    while (this.queue.length && mayGoOn()) budget -= this.place(this.queue.shift());
    for (const name of this.outdated) {
      if (!mayGoOn()) break;
      // A row to come is written when it is made.
      if (this.rows.has(name)) budget -= this.refresh(name);
    }
    if (this.queue.length || this.outdated.size) this.workSoon();
    // A row that is moved loses the focus.
    if (focused !== document.activeElement && focused.isConnected) {
      focused.focus({ preventScroll: true });
    }
  }

  /** After the next frame, so that each frame has its share. */
  workSoon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => { this.timer = setTimeout(() => this.work()); });
  }

  /** Writes what is known now into the row. Returns the cost. */
  refresh(name) {
    this.outdated.delete(name);
    this.rows.get(name).render(this.service.checks.get(name), this.service, this.filters.range);
    return 1;
  }

  /** Puts the row, which may be a new one, behind the one placed before. Returns the cost. */
  place({ name, state }) {
    let cost = 0;
    let row = this.rows.get(name);
    if (!row) {
      row = new Row(name, this.chooseTag);
      this.rows.set(name, row);
      cost = COST_NEW;
    }
    const group = this.group({ state });
    const { list } = this.groups[group];
    const last = this.lasts[group];
    const { element } = row;
    if (element.parentNode !== list || element.previousElementSibling !== last) {
      this.refresh(name);
      list.insertBefore(element, last ? last.nextElementSibling : list.firstElementChild);
      cost ||= COST_MOVED;
    }
    this.lasts[group] = element;
    return cost;
  }

  /** Called once a second: what only the clock changes. */
  tick() {
    this.renderHead();
    const isFresh = this.service.silence() < FRESH;
    if (isFresh || document.hidden || this.queue.length || this.outdated.size) return;
    for (const row of this.rows.values()) {
      if (row.element.isConnected) row.renderTimes();
    }
  }

  renderLog() {
    const { transitions } = this.service;
    const { log, summary, list } = this.parts;
    if (log.hidden !== !transitions.length) log.hidden = !transitions.length;
    put(summary, `${plural(transitions.length, "transition")} of all checks`);
    if (!log.open || this.logged === transitions) return;
    this.logged = transitions;
    const fresh = make("ol");
    const newest = transitions.slice(-LOG_SHOWN).reverse();
    fresh.append(...newest.map((it) => transitionItem(it, this.service.now(), it.check)));
    sync(list, fresh);
  }
}
