"""Which compiler the dependencies of the published crates ask for, read from `cargo metadata` on stdin.

Fails where one asks for a newer compiler than the crates do themselves.
"""

import json
import sys

PUBLISHED = ["servicekit-health", "servicekit-health-macros"]


def version(package):
    numbers = (package["rust_version"] or "0").split(".")
    return tuple(int(number) for number in numbers + ["0"] * (3 - len(numbers)))


metadata = json.load(sys.stdin)
packages = {package["id"]: package for package in metadata["packages"]}
nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
ours = [package for package in packages.values() if package["name"] in PUBLISHED]

# What their users compile: everything but what only the tests need.
found, waiting = set(), [package["id"] for package in ours]
while waiting:
    if (here := waiting.pop()) not in found:
        found.add(here)
        waiting += [
            dependency["pkg"]
            for dependency in nodes[here]["deps"]
            if any(kind["kind"] != "dev" for kind in dependency["dep_kinds"])
        ]

limit = min(version(package) for package in ours)
others = [packages[it] for it in found if packages[it]["name"] not in PUBLISHED]
highest = max(others, key=version)
said = [package for package in others if package["rust_version"]]
newer = [it for it in others if version(it) > limit]
for package in newer:
    print(f"  {package['name']} {package['version']} needs Rust {package['rust_version']}", file=sys.stderr)
if newer:
    sys.exit(f"dependencies need a newer compiler than Rust {ours[0]['rust_version']}")
print(
    f"  {len(others)} dependencies, {len(said)} of them with a rust-version; the highest is "
    f"{highest['rust_version']} ({highest['name']}), ours is {ours[0]['rust_version']}"
)
