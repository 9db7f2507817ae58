"""The files of ``deploy/`` please the tools that read them, and say what the service's own settings say."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import kubernetes_validate
import pytest
import yaml
from compose_spec import PyCompose

from ffstream_gateway.settings import Settings

DRAINED = Settings(folder=Path("unused")).drain_seconds
"""Seconds that a service may take to learn what waits when it is told to stop."""

ANALYZE = shutil.which("systemd-analyze")


def documents(path):
    return list(yaml.safe_load_all(path.read_text()))


def of_kind(path, kind):
    (found,) = [each for each in documents(path) if each["kind"] == kind]
    return found


def settings_in(names):
    return {name.removeprefix("FFSTREAM_").lower() for name in names if name.startswith("FFSTREAM_")}


def test_hadolint_has_nothing_to_say(deploy):
    hadolint = Path(sys.executable).parent / "hadolint"
    ran = subprocess.run([hadolint, deploy / "Containerfile"], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stdout


def test_the_image(deploy):
    text = (deploy / "Containerfile").read_text()
    copied = [name for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M) for name in line.split()[:-1]]
    root = deploy.parent
    assert all((root / name).exists() for name in copied)
    ignored = (deploy / "Containerfile.dockerignore").read_text().splitlines()
    assert {f"!{name}" for name in copied} <= set(ignored), "what is copied is sent to the builder"
    assert settings_in(re.findall(r"\bFFSTREAM_\w+(?==)", text)) <= Settings.model_fields.keys()
    final = text.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER 10001:10001$", final, re.M)
    assert re.search(r"^STOPSIGNAL SIGTERM$", final, re.M)
    assert "/livez" in final


def test_the_image_has_all_of_the_package(deploy, tmp_path):
    """What it copies is enough for a build, and the page comes along."""
    text = (deploy / "Containerfile").read_text()
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.M):
        for name in line.split()[:-1]:
            source = deploy.parent / name
            ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, tmp_path / name, ignore=ignored) if source.is_dir() else shutil.copy(source, tmp_path)
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", tmp_path / "there", "."]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=250)
    there = tmp_path / "there" / "ffstream_gateway"
    assert {each.name for each in (there / "page").iterdir()} == {
        each.name for each in (deploy.parent / "services" / "ffstream_gateway" / "page").iterdir()
    }


def test_compose(deploy):
    path = deploy / "compose.yaml"
    PyCompose.from_yaml(path.read_text())  # fits the schema, or says what does not
    (compose,) = documents(path)
    for name, service in compose["services"].items():
        for port in service["ports"]:
            assert port.startswith("127.0.0.1:"), f"{name} is published beyond loopback"
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (deploy / source).exists() if source.startswith(".") else source in compose["volumes"]
    gateway = compose["services"]["gateway"]
    assert (deploy / gateway["build"]["context"] / gateway["build"]["dockerfile"]).samefile(deploy / "Containerfile")
    assert settings_in(gateway["environment"]) <= Settings.model_fields.keys()
    assert int(gateway["stop_grace_period"].removesuffix("s")) > DRAINED
    assert "gateway:8000" in (deploy / "prometheus" / "prometheus.yml").read_text()


@pytest.mark.parametrize("name", ["gateway.yaml", "raycluster.yaml", "joined-network.yaml"])
def test_manifests_fit_the_schemas_of_kubernetes(deploy, name):
    for each in documents(deploy / "kubernetes" / name):
        if each["kind"] != "RayCluster":
            kubernetes_validate.validate(each, kubernetes_validate.latest_version(), strict=True)
            continue
        for group in (each["spec"]["headGroupSpec"], *each["spec"]["workerGroupSpecs"]):
            pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": group["template"]["spec"]}
            kubernetes_validate.validate(pod, kubernetes_validate.latest_version(), strict=True)


def test_the_gateway_in_kubernetes(deploy):
    path = deploy / "kubernetes" / "gateway.yaml"
    deployment, service, policy = (of_kind(path, kind) for kind in ("Deployment", "Service", "NetworkPolicy"))
    pod = deployment["spec"]["template"]
    assert service["spec"]["type"] == "ClusterIP"
    for selector in (service["spec"]["selector"], policy["spec"]["podSelector"]["matchLabels"]):
        assert selector.items() <= pod["metadata"]["labels"].items()
    assert deployment["spec"]["replicas"] == 1
    assert pod["spec"]["terminationGracePeriodSeconds"] > DRAINED
    (container,) = pod["spec"]["containers"]
    assert settings_in(each["name"] for each in container["env"]) <= Settings.model_fields.keys()
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["spec"]["volumes"]}
    (keys,) = [each["value"] for each in container["env"] if each["name"] == "FFSTREAM_KEYS"]
    assert any(keys.startswith(each["mountPath"] + "/") for each in container["volumeMounts"]), "it needs a key to start"


def test_the_gateway_takes_part_in_the_cluster(deploy):
    """Patched it is still what Kubernetes takes, and it finds the cluster, its token and its nodes."""
    deployment = of_kind(deploy / "kubernetes" / "gateway.yaml", "Deployment")
    cluster = of_kind(deploy / "kubernetes" / "raycluster.yaml", "RayCluster")
    network = of_kind(deploy / "kubernetes" / "joined-network.yaml", "NetworkPolicy")
    (patch,) = documents(deploy / "kubernetes" / "joined.yaml")
    (container,), (patched,) = (each["spec"]["template"]["spec"]["containers"] for each in (deployment, patch))
    assert container["name"] == patched["name"]
    container |= patched | {"env": container["env"] + patched["env"]}
    kubernetes_validate.validate(deployment, kubernetes_validate.latest_version(), strict=True)
    env = {each["name"]: each for each in container["env"]}
    assert len(env) == len(container["env"])
    assert settings_in(env) <= Settings.model_fields.keys()
    name = cluster["metadata"]["name"]
    assert env["RAY_ADDRESS"]["value"] == f"{name}-head-svc:6379"
    assert env["RAY_AUTH_MODE"]["value"] == cluster["spec"]["authOptions"]["mode"]
    assert env["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"] == {"name": name, "key": "auth_token"}
    labels = network["spec"]["ingress"][0]["from"][0]["podSelector"]["matchLabels"]
    for group in (cluster["spec"]["headGroupSpec"], *cluster["spec"]["workerGroupSpecs"]):
        assert labels.items() <= group["template"]["metadata"]["labels"].items()
    assert network["spec"]["podSelector"]["matchLabels"] == deployment["spec"]["selector"]["matchLabels"]


def test_rays_object_store_fits_into_the_shared_memory(deploy):
    from ffstream.actors.local import OBJECT_STORE

    (compose,) = documents(deploy / "compose.yaml")
    assert int(compose["services"]["gateway"]["shm_size"].removesuffix("m")) << 20 > OBJECT_STORE
    spec = of_kind(deploy / "kubernetes" / "raycluster.yaml", "RayCluster")["spec"]
    gateway = of_kind(deploy / "kubernetes" / "gateway.yaml", "Deployment")["spec"]["template"]
    pods = [gateway, spec["headGroupSpec"]["template"], *(group["template"] for group in spec["workerGroupSpecs"])]
    for pod in pods:
        (shm,) = [each["emptyDir"] for each in pod["spec"]["volumes"] if each["name"] == "shm"]
        assert shm["medium"] == "Memory"
        assert int(shm["sizeLimit"].removesuffix("Mi")) << 20 > OBJECT_STORE
    assert spec["authOptions"] == {"mode": "token"}


def test_rays_version_is_the_one_that_is_installed(deploy):
    import ray

    spec = of_kind(deploy / "kubernetes" / "raycluster.yaml", "RayCluster")["spec"]
    assert spec["rayVersion"] == ray.__version__


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_the_unit_pleases_systemd(deploy, tmp_path):
    text = (deploy / "systemd" / "ffstream.service").read_text()
    assert settings_in(re.findall(r"\bFFSTREAM_\w+(?==)", text)) <= Settings.model_fields.keys()
    assert int(re.search(r"^TimeoutStopSec=(\d+)$", text, re.M)[1]) > DRAINED
    installed = "/opt/ffstream/bin/ffstream"
    assert installed in text
    unit = tmp_path / "ffstream.service"
    unit.write_text(text.replace(installed, sys.executable))
    verified = subprocess.run([ANALYZE, "verify", unit], capture_output=True, text=True, env=os.environ, timeout=60)
    assert (verified.returncode, verified.stderr) == (0, "")
