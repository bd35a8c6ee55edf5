// Follows a service in a browser. `show` gets each report, and `undefined` once the connection is
// lost. The function that is returned ends it.
export function follow(url, show, { retryMs = 2000 } = {}) {
  let source;
  let timer;
  let draining = false;
  const open = () => {
    source = new EventSource(url);
    source.onmessage = ({ data }) => {
      const report = JSON.parse(data);
      draining = "$drain" in (report.checks ?? {});
      show(report);
    };
    source.onerror = () => {
      const closed = source.readyState === EventSource.CLOSED;
      // A service that drains ends its streams, which is no failure.
      if (closed || !draining) show(undefined);
      // An EventSource comes back by itself from a lost connection. After a 503 or 502, as a balancer
      // sends them while a service restarts, it stays closed for good: open a new one.
      if (closed) timer = setTimeout(open, retryMs);
    };
  };
  open();
  return () => {
    clearTimeout(timer);
    source.close();
  };
}

// What a person reads.
export function text(report) {
  if (report === undefined) return "no connection";
  const { status, checks = {} } = report;
  // A deploy is no failure.
  if (checks.$drain) return "being deployed";
  const failing = Object.entries(checks)
    .filter(([, { state }]) => state !== "healthy")
    .map(([name, { message }]) => (message ? `${name}: ${message}` : name));
  return [status, ...failing].join("\n");
}
