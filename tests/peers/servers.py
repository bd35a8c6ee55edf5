"""The servers that are compared: how each is made ready, started and watched."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", HERE.parent.parent / "target")) / "peers"

# A stream is an open file on both sides.
_, MOST_FILES = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))


class Missing(Exception):
    """What a peer lacks, and where to get it."""


def quietly(*command, **options):
    """Runs a command; what it printed is shown where it fails."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, **options)
    if done.returncode != 0:
        sys.stderr.write(done.stdout + done.stderr)
        raise Missing(f"`{' '.join(map(str, command[:4]))} ...` failed, see above")
    return done.stdout


def rust(kind):
    return [BUILT / "release" / "server", kind]


def build():
    """The servers in Rust and the load."""
    if not shutil.which("cargo"):
        sys.exit("cargo is missing: install a stable Rust toolchain")
    subprocess.run(["cargo", "build", "--quiet", "--release", "--target-dir", BUILT], cwd=HERE, check=True)


def go():
    sources = "/usr/share/gocode"
    if not shutil.which("go") or not Path(sources, "src/github.com/alexliesenfeld/health").exists():
        raise Missing("needs Go and the library: apt-get install golang-go golang-github-alexliesenfeld-health-dev")
    program = BUILT / "alexliesenfeld"
    settings = {"GO111MODULE": "off", "GOPATH": sources, "GOCACHE": str(BUILT / "go")}
    quietly("go", "build", "-o", program, HERE / "servers/alexliesenfeld.go", env=os.environ | settings)
    return [program]


def go_from_elsewhere():
    program = os.environ.get("HEALTH_GO")
    if not program:
        raise Missing("no package has it: build the program that README.md describes, and set HEALTH_GO to its path")
    if not os.access(program, os.X_OK):
        raise Missing(f"HEALTH_GO is `{program}`, which is not an executable file")
    return [program]


def python():
    python = os.environ.get("PYTHON313", "python3.13")
    home = BUILT / "python"
    if not (home / "ready").exists():
        if not shutil.which(python) or subprocess.run([python, "-V"], capture_output=True).returncode != 0:
            raise Missing("needs Python 3.13: install it, or set PYTHON313 to its path")
        quietly(python, "-m", "venv", home)
        quietly(home / "bin/pip", "install", "--quiet", "servicekit")
        (home / "ready").touch()
    return [home / "bin/python", HERE / "servers/python.py"]


def node():
    home = BUILT / "node"
    if not shutil.which("npm"):
        raise Missing("needs Node and npm: apt-get install nodejs npm")
    if not (home / "node_modules/@godaddy/terminus").exists():
        home.mkdir(parents=True, exist_ok=True)
        (home / "package.json").write_text('{"private": true}\n')
        quietly("npm", "install", "--silent", "@godaddy/terminus@4", cwd=home)
    # Modules are looked up from where the program is.
    shutil.copy(HERE / "servers/terminus.js", home)
    return ["node", home / "terminus.js"]


def versions():
    """Of the peers that are there."""
    found = {}
    lock = (HERE / "Cargo.lock").read_text()
    found["axum-health"] = re.search(r'name = "axum-health"\nversion = "(.*)"', lock)[1]
    package = ["dpkg-query", "--showformat=${Version}", "--show", "golang-github-alexliesenfeld-health-dev"]
    if (BUILT / "alexliesenfeld").exists():
        found["alexliesenfeld/health"] = quietly(*package)
    if (BUILT / "node/node_modules").exists():
        manifest = BUILT / "node/node_modules/@godaddy/terminus/package.json"
        found["terminus"] = json.loads(manifest.read_text())["version"]
    for folder in BUILT.glob("python/lib/*/site-packages/servicekit-*.dist-info"):
        found["servicekit"] = folder.name.removeprefix("servicekit-").removesuffix(".dist-info")
    return ", ".join(f"{name} {version}" for name, version in found.items())


# Name in the tables, and what gives the command that starts it.
PEERS = {
    "static route": lambda: rust("static"),
    "servicekit-health": lambda: rust("ours"),
    "by hand, cached": lambda: rust("cached"),
    "by hand, join_all": lambda: rust("join-all"),
    "axum-health": lambda: rust("axum-health"),
    "alexliesenfeld/health (Go)": go,
    "hellofresh/health-go (Go)": go_from_elsewhere,
    "terminus (Node)": node,
    "servicekit (Python)": python,
    "servicekit-health, background": lambda: rust("ours-background"),
    "by hand, a loop each": lambda: rust("loops"),
}
STREAM_PATHS = {
    "servicekit-health": "/health/$stream",
    "by hand, cached": "/events",
    "servicekit (Python)": "/health/$stream",
}
_commands = {}


def available(names):
    """Those of the names that can be started; a line for each other one, once."""
    for name in names:
        if name not in _commands:
            try:
                _commands[name] = PEERS[name]()
            except Missing as missing:
                _commands[name] = None
                print(f"skipped: {name}: {missing}", flush=True)
    return [name for name in names if _commands[name]]


class Server:
    """A server in a process of its own, which ends with the `with` block."""

    def __init__(self, name, checks=5, check_ms=0, cache=True):
        self.name = name
        settings = {"CHECKS": str(checks), "CHECK_MS": str(check_ms), "CACHE": "on" if cache else "off"}
        self.process = subprocess.Popen(
            _commands[name], env=os.environ | settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        self.address = self.process.stdout.readline().strip()
        if not self.address:
            self.end()
            sys.exit(f"{name} did not start: exit status {self.process.returncode}")

    def end(self):
        self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def busy(self):
        """Its processor time in seconds, of all threads, also of those that have ended."""
        # The clock of another process: its number as clock_getcpuclockid(3) makes it.
        return time.clock_gettime((~self.process.pid << 3) | 2)

    def _status(self, file, key):
        for line in Path(file).read_text().splitlines():
            if line.startswith(key):
                return int(line.split()[1])
        raise KeyError(key)

    def resident_kib(self):
        return self._status(f"/proc/{self.process.pid}/status", "VmRSS:")

    def sleeps(self):
        """How often its threads went to sleep, and so were woken."""
        threads = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(self._status(thread / "status", "voluntary_ctxt_switches:") for thread in threads)

    def load(self, mode, *numbers, path="/health"):
        """The load's result, and the server's processor time meanwhile."""
        before = self.busy()
        command = [BUILT / "release" / "load", mode, self.address, path, *map(str, numbers)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=300)
        if done.returncode != 0:
            sys.exit(f"{self.name}: {mode}: {done.stderr.strip()}")
        return json.loads(done.stdout) | {"busy": self.busy() - before}
