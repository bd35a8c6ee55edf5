// One check as a row.

const TRANSITIONS_SHOWN = 20;

/** Writes only what differs: the browser then has nothing to do for what stays the same. */
function put(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function show(element, value) {
  put(element, value);
  if (element.hidden !== !value) element.hidden = !value;
}

function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function make(tag, content = "", className = "") {
  const element = document.createElement(tag);
  element.textContent = content;
  if (className) element.className = className;
  return element;
}

function putTime(element, time, now) {
  if (element.hidden !== (time === undefined)) element.hidden = time === undefined;
  if (time === undefined) return;
  put(element, clock(time, now));
  set(element, "title", utc(time));
  set(element, "datetime", new Date(time).toISOString());
}

/** "23:51:02 healthy -> unhealthy after 3 h: message" as an item of a list. */
function transitionItem(transition, now, name) {
  const item = make("li");
  const time = make("time");
  putTime(time, transition.at, now);
  item.append(time, " ");
  if (name) item.append(make("b", name), " ");
  if (transition.from) item.append(`${transition.from} → `);
  item.append(make("span", transition.to, `word ${known(transition.to)}`));
  if (transition.lasted !== undefined) item.append(` after ${span(transition.lasted)}`);
  if (transition.message) item.append(`: ${transition.message}`);
  return item;
}

/** Makes `old` the same as `fresh`; what is the same already stays, with its focus and selection. */
function sync(old, fresh) {
  const olds = [...old.childNodes];
  const news = [...fresh.childNodes];
  news.forEach((node, index) => {
    const present = olds[index];
    if (!present) old.append(node);
    else if (present.isEqualNode(node)) return;
    else if (present.nodeName === node.nodeName && /^[DOU]L$/.test(node.nodeName)) sync(present, node);
    else present.replaceWith(node);
  });
  for (const surplus of olds.slice(news.length)) surplus.remove();
}

class Row {
  /** `chooseTag` is called with a tag that the reader clicked. */
  constructor(name, chooseTag) {
    this.chooseTag = chooseTag;
    this.element = document.getElementById("row").content.firstElementChild.cloneNode(true);
    const find = (selector) => this.element.querySelector(selector);
    this.use = find("use");
    this.button = find("button");
    this.state = find(".state");
    this.message = find(".message");
    this.description = find(".description");
    this.relative = find(".relative");
    this.since = find("time");
    this.age = find(".age");
    this.took = find(".took");
    this.more = find(".more");
    this.charts = { runs: find(".runs").children, line: find(".line").children };
    this.button.textContent = name;
    this.button.addEventListener("click", () => this.toggle());
  }

  toggle() {
    const isOpen = this.more.hidden;
    this.more.hidden = !isOpen;
    this.button.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.renderMore();
    else this.more.replaceChildren();
  }

  isOutdated(check) {
    return this.check.state !== check.state || this.check.message !== check.message;
  }

  render(check, service, range) {
    this.check = check;
    this.service = service;
    const state = known(check.state);
    if (this.element.dataset.state !== state) {
      this.element.dataset.state = state;
      this.use.setAttribute("href", `#${state}`);
    }
    put(this.state, check.state);
    this.element.classList.toggle("stale", check.isStale);
    const held = check.rawState && `newest result: ${withMessage(check.rawState, check.rawMessage)}`;
    put(this.message, [check.message, held].filter(Boolean).join("\n"));
    put(this.description, check.description);
    this.renderTimes();
    this.renderCharts(range);
    if (!this.more.hidden) this.renderMore();
  }

  renderTimes() {
    const { check, service } = this;
    const now = service.now();
    put(this.relative, check.since === undefined ? "" : span(now - check.since));
    const sinceKey = `${check.since} ${now - check.since < RECENT}`;
    if (this.sinceKey !== sinceKey) {
      this.sinceKey = sinceKey;
      putTime(this.since, check.since, now);
    }
    const age = check.age === undefined ? undefined : check.age + service.silence();
    put(this.age, age === undefined ? "" : `${ago(age)}${check.isStale ? ", stale" : ""}`);
    put(this.took, check.took === undefined ? "" : took(check.took));
  }

  renderCharts(range) {
    const { check, service } = this;
    if (this.runsShown !== check.runs) {
      this.runsShown = check.runs;
      this.draw(this.charts.runs, runPaths(check.runs));
    }
    const transitions = service.byCheck.get(check.name) ?? [];
    // A step is what moves the line by half a unit.
    const step = Math.floor(service.now() / (range / LINE_WIDTH / 2));
    const key = `${step} ${range} ${check.state} ${check.since}`;
    if (this.lineKey !== key || this.lineOf !== transitions) {
      this.lineKey = key;
      this.lineOf = transitions;
      this.draw(this.charts.line, linePaths(check, transitions, service.now(), range));
    }
  }

  draw(elements, paths) {
    for (const element of elements) set(element, "d", paths[element.getAttribute("class")]);
  }

  renderMore() {
    const { check, service } = this;
    const transitions = service.byCheck.get(check.name) ?? [];
    const now = service.now();
    const list = make("dl");
    const add = (term, ...contents) => {
      const value = make("dd");
      value.append(...contents);
      list.append(make("dt", term), value);
    };
    const addTime = (term, time) => {
      if (time === undefined) return;
      const element = make("time");
      putTime(element, time, now);
      add(term, element, `, ${utc(time)}`);
    };
    addTime("In this state since", check.since);
    addTime("Checked", check.checkedAt);
    addTime("Last healthy", check.lastSuccess);
    if (check.failures) add("Failures in a row", String(check.failures));
    if (check.rawState) {
      add("Newest result", `${withMessage(check.rawState, check.rawMessage)}, not reported: held back by a threshold, or shared`);
    }
    if (check.isStale) add("Stale", "an older result: the check did not finish in time");
    if (check.runs.length) add("Recent runs", runsText(check.runs));
    if (check.tags.length) add("Tags", ...check.tags.map((tag) => this.tagButton(tag)));
    for (const [key, value] of Object.entries(check.details)) {
      add(key, typeof value === "string" ? value : JSON.stringify(value));
    }
    const parts = [list];
    if (transitions.length) {
      const log = make("ol", "", "transitions");
      log.setAttribute("role", "list");
      const newest = transitions.slice(-TRANSITIONS_SHOWN).reverse();
      log.append(...newest.map((transition) => transitionItem(transition, now)));
      parts.push(make("h5", "Transitions"), log);
    }
    const fresh = make("div");
    fresh.append(...parts);
    sync(this.more, fresh);
  }

  tagButton(tag) {
    const button = make("button", tag, "tag");
    button.type = "button";
    button.addEventListener("click", () => this.chooseTag(tag));
    return button;
  }
}

function withMessage(state, message) {
  return message ? `${state}: ${message}` : state;
}

function runsText(runs) {
  const times = runs.map((run) => run.took).sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)];
  return `${plural(runs.length, "run")} since this page was opened: fastest ${took(times[0])}, median ${took(median)}, slowest ${took(times.at(-1))}`;
}
