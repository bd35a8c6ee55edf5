"""Reads and validates Kubernetes manifests.

    manifests.py json FILE           every document of the file
    manifests.py validate FOLDER...  what Kustomize builds of each, by the schemas of Kubernetes and,
                                     for resources of Istio and the Prometheus operator, of theirs
"""

import json
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import yaml
from kubernetes_validate.utils import all_versions

# The oldest that the manifests say they are for.
OLDEST = (1, 31)


def custom(document):
    """The model of a resource that Kubernetes itself does not know; they take long to load."""
    group = document["apiVersion"]
    if group == "monitoring.coreos.com/v1":
        from cloudcoil.models.prometheus_operator import v1 as models
    elif group == "networking.istio.io/v1":
        from cloudcoil.models.istio.networking import v1 as models
    else:
        return None
    return getattr(models, document["kind"])


def versions():
    every = {tuple(map(int, version.split(".")[:2])) for version in all_versions()}
    return [f"{major}.{minor}" for major, minor in sorted(every) if (major, minor) >= OLDEST]


def validate(folder):
    kubectl = Path(sys.executable).with_name("kubectl")
    built = subprocess.run(
        [kubectl, "kustomize", folder], check=True, capture_output=True, text=True
    ).stdout
    for document in yaml.safe_load_all(built):
        name = f"{folder}: {document['kind']} {document['metadata']['name']}"
        if model := custom(document):
            # Keys that the model does not have are dropped by it.
            known = model.model_validate(document)
            known = known.model_dump(mode="json", by_alias=True, exclude_unset=True)
            assert known == document, f"{name}: unknown or misspelt keys: {known} {document}"
            print(name, "is valid")
            continue
        for version in versions():
            kubernetes_validate.validate(document, version, strict=True)
        print(name, "is valid for", ", ".join(versions()))


command, *paths = sys.argv[1:]
if command == "json":
    (path,) = paths
    print(json.dumps(list(yaml.safe_load_all(Path(path).read_text()))))
else:
    assert command == "validate", __doc__
    for path in paths:
        validate(path)
