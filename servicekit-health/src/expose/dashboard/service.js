// One service: its stream, its history, and what is known of it.

/** Beyond this much silence a connection is taken for dead; the stream itself is never silent. */
const SILENCE = 10 * SECOND;
/** A stream that lived this long had been well: the next attempt follows at once. */
const WELL = 5 * SECOND;
const FIRST_PAUSE = 200;
const LONGEST_PAUSE = 8 * SECOND;
const DRAINING_PAUSE = SECOND;
const FETCH_TIMEOUT = 5 * SECOND;
/** The history is read again this long after a change, once for all changes of that time. */
const HISTORY_PAUSE = 400;
const TRANSITIONS_KEPT = 1024;

class Service {
  /**
   * `base` is the address of its `/health`, `interval` the seconds between events. `changed` is
   * called with the service after everything that it learns.
   */
  constructor(base, interval, changed) {
    this.base = base;
    this.interval = interval;
    this.changed = changed;
    this.name = "";
    this.version = "";
    this.status = undefined;
    this.drain = undefined;
    this.isDrill = false;
    this.checks = new Map();
    this.transitions = [];
    /** The same by check, oldest first; made anew with every change of `transitions`. */
    this.byCheck = new Map();
    /** How far the service's clock is ahead of ours. */
    this.skew = 0;
    /** `connecting`, `live`, `polling`, `ended` (by a service that drains) or `lost`. */
    this.link = "connecting";
    this.reason = "";
    this.linkSince = performance.now();
    /** When the newest report came, on the monotonic clock. */
    this.heard = undefined;
    /** How long the connection had been lost before it was regained. */
    this.outage = undefined;
    this.attempt = 0;
    this.open();
  }

  get host() {
    const { host, pathname } = new URL(this.base);
    return host + pathname.replace(/\/health$/, "");
  }

  get title() {
    return this.name || this.host;
  }

  /** The time by the service's clock. */
  now() {
    return Date.now() + this.skew;
  }

  /** Milliseconds since the newest report. */
  silence() {
    return performance.now() - (this.heard ?? this.linkSince);
  }

  open() {
    this.close();
    this.opened = performance.now();
    const stream = new EventSource(`${this.base}/$stream?verbose&poll_interval=${this.interval}`);
    stream.onmessage = (event) => this.read(event.data, "live");
    stream.onerror = () => this.lose("");
    this.stream = stream;
  }

  close() {
    clearTimeout(this.timer);
    this.stream?.close();
    this.stream = undefined;
  }

  /** Called once a second. A dead connection that never says so is opened anew. */
  tick() {
    const last = Math.max(this.opened, this.heard ?? 0);
    const limit = Math.max(SILENCE, 3 * SECOND * this.interval);
    if (this.stream && performance.now() - last > limit) {
      this.lose(`no event for ${span(limit)}`);
    }
  }

  /** Opens the stream now instead of after the pause. */
  retry() {
    if (!this.stream) this.open();
  }

  /**
   * An `EventSource` that got an answer other than a stream never comes back by itself, and one
   * that reconnects does not say when: each attempt is a new one of our own.
   */
  lose(reason) {
    const lived = performance.now() - this.opened;
    const had = this.link === "live";
    this.close();
    this.attempt = had && lived > WELL ? 0 : this.attempt + 1;
    const backoff = Math.min(FIRST_PAUSE * 2 ** this.attempt, LONGEST_PAUSE);
    const pause = this.drain && this.link === "ended" ? DRAINING_PAUSE : backoff;
    if (this.attempt > 1 || !had) this.ask();
    if (this.link !== "polling" && this.link !== "ended") this.set("lost", reason || this.reason);
    // A crowd of pages does not come back all at once.
    this.timer = setTimeout(() => this.open(), pause * (0.8 + 0.4 * Math.random()));
    this.changed(this);
  }

  set(link, reason = "") {
    this.reason = reason;
    if (link === this.link) return;
    const isBack = link === "live" && (this.link === "lost" || this.link === "ended");
    this.outage = isBack && this.heard !== undefined ? performance.now() - this.heard : undefined;
    this.link = link;
    this.linkSince = performance.now();
  }

  /** Why is there no stream? A report that can be had without one is shown all the same. */
  async ask() {
    const asked = performance.now();
    let reason;
    try {
      const response = await this.get("?verbose");
      const body = await response.text();
      if (this.heard > asked) return;
      if (/json/.test(response.headers.get("content-type")) && this.read(body, "polling")) return;
      reason = `HTTP ${response.status}`;
    } catch (error) {
      reason = error.name === "TimeoutError" ? "no answer in time" : "no answer";
      // A browser keeps from a page which of the two it is.
      if (new URL(this.base).origin !== location.origin) reason += ", or reading is not allowed from here";
    }
    if (this.heard > asked || this.link === "live") return;
    this.set("lost", reason);
    this.changed(this);
  }

  get(path, headers = {}) {
    const signal = AbortSignal.timeout(FETCH_TIMEOUT);
    return fetch(this.base + path, { headers, signal, cache: "no-store" });
  }

  /** Takes over a report; whether it is one. */
  read(json, link) {
    let report;
    try {
      report = JSON.parse(json);
    } catch {
      report = undefined;
    }
    if (typeof report?.status !== "string") {
      if (link === "live") this.set("live", "the last event was not a report");
      return false;
    }
    const { $drain: drain, ...checks } = report.checks ?? {};
    const now = drain ? "ended" : link;
    // After a pause it may be another version, and transitions were missed.
    const isFirst = this.heard === undefined || (now !== this.link && now !== "polling");
    this.set(now);
    this.heard = performance.now();
    this.status = report.status;
    this.drain = drain;
    if (drain) this.attempt = 0;
    const hasChanged = this.readChecks(checks);
    if (isFirst) this.identify();
    if (isFirst || hasChanged) this.readHistorySoon();
    this.changed(this);
    return true;
  }

  /** Takes over the checks; whether the history has something new. */
  readChecks(reported) {
    const before = this.checks;
    const seen = [];
    let hasChanged = false;
    let clock;
    this.checks = new Map();
    for (const [name, wire] of Object.entries(reported)) {
      const old = before.get(name);
      const check = readCheck(name, wire, old);
      this.checks.set(name, check);
      if (check.checkedAt !== undefined && check.age !== undefined) {
        clock = Math.max(clock ?? -Infinity, check.checkedAt + check.age);
      }
      // A state that began anew without being another one was left in between.
      hasChanged ||= old !== undefined && (old.state !== check.state || old.since !== check.since);
      if (old && old.state !== check.state) seen.push(this.transition(check, old.state));
    }
    if (clock !== undefined) this.skew = clock - Date.now();
    // The history may have been faster than the stream.
    const own = seen.filter((it) => !isAmong(it, this.byCheck.get(it.check) ?? []));
    if (own.length) this.setTransitions([...this.transitions, ...own]);
    return hasChanged;
  }

  /** A transition that the stream showed: the history may be turned off, or out of reach. */
  transition(check, from) {
    const { name, state: to, message } = check;
    return { check: name, from, to, at: check.since ?? this.now(), message, isOwn: true };
  }

  setTransitions(transitions) {
    this.transitions = transitions.sort((a, b) => a.at - b.at).slice(-TRANSITIONS_KEPT);
    this.byCheck = new Map();
    for (const transition of this.transitions) {
      const list = this.byCheck.get(transition.check);
      if (list) list.push(transition);
      else this.byCheck.set(transition.check, [transition]);
    }
  }

  readHistorySoon() {
    if (this.historyTimer) return;
    const pause = this.transitions.length ? HISTORY_PAUSE : 0;
    this.historyTimer = setTimeout(() => {
      this.historyTimer = undefined;
      this.readHistory();
    }, pause);
  }

  async readHistory() {
    let list;
    try {
      const response = await this.get("/$history");
      this.isDrill = response.headers.get("x-health-drill") === "true";
      ({ transitions: list } = await response.json());
    } catch {
      // What the stream shows is left.
    }
    if (!Array.isArray(list)) return;
    const read = list.map(readTransition).filter((transition) => transition.at !== undefined);
    const byCheck = Map.groupBy(read, (it) => it.check);
    const own = this.transitions.filter((it) => it.isOwn && !isAmong(it, byCheck.get(it.check) ?? []));
    this.setTransitions([...read, ...own]);
    this.changed(this);
  }

  /**
   * Name and version stand in the health+json form alone. Of a healthy check, because the status
   * code of an unhealthy report is an error in the browser's console.
   */
  async identify() {
    const healthy = [...this.checks.values()].find((check) => check.state === "healthy");
    const selection = healthy ? `?check=${encodeURIComponent(healthy.name)}` : "";
    try {
      const response = await this.get(selection, { accept: "application/health+json" });
      const { serviceId, version } = await response.json();
      this.name = text(serviceId);
      this.version = text(version);
    } catch {
      // The address is its name.
    }
    this.changed(this);
  }

  counts() {
    const counts = { unhealthy: 0, degraded: 0, healthy: 0 };
    for (const check of this.checks.values()) counts[STATES[severity(check.state)]] += 1;
    return counts;
  }
}

function readCheck(name, wire, old) {
  const check = {
    name,
    state: text(wire?.state),
    message: text(wire?.message),
    rawState: text(wire?.raw_state),
    rawMessage: text(wire?.raw_message),
    took: number(wire?.duration_ms),
    checkedAt: parseTime(wire?.checked_at),
    age: number(wire?.age_ms),
    since: parseTime(wire?.since),
    failures: number(wire?.consecutive_failures),
    lastSuccess: parseTime(wire?.last_success),
    isStale: wire?.stale === true,
    description: text(wire?.description),
    tags: Array.isArray(wire?.tags) ? wire.tags.map(String) : [],
    details: wire?.details ?? {},
    runs: old?.runs ?? [],
  };
  const isNewRun = check.checkedAt !== undefined && check.checkedAt !== old?.checkedAt;
  if (isNewRun && check.took !== undefined) {
    const state = STATES[severity(check.rawState || check.state)];
    check.runs = [...check.runs.slice(1 - RUNS_SHOWN), { took: check.took, state }];
  }
  return check;
}

/** Whether the same transition is among those of its check, from the other source. */
function isAmong(own, others) {
  return others.some((other) => other.to === own.to && Math.abs(other.at - own.at) < SECOND);
}

function readTransition(wire) {
  return {
    check: text(wire?.check),
    from: text(wire?.from) || undefined,
    to: text(wire?.to),
    at: parseTime(wire?.at),
    lasted: number(wire?.lasted_ms),
    message: text(wire?.message),
  };
}
