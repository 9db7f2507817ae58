"""The dashboard asks for what the service tells: by name, and in a real Prometheus where there is one."""

import json
import re
import shutil
import socket
import subprocess

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.patience import until

METRIC = re.compile(r"\b(?:ffstream|process)_\w+(?=[{\[ )]|$)")
PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")


@pytest.fixture(scope="module")
def dashboard(deploy):
    return json.loads((deploy / "grafana" / "ffstream.json").read_text())


@pytest.fixture(scope="module")
def expressions(dashboard):
    """What the panels and the annotations ask for."""
    asked = [(panel["title"], target["expr"]) for panel in dashboard["panels"] for target in panel.get("targets", [])]
    return asked + [(each["name"], each["expr"]) for each in dashboard["annotations"]["list"]]


def test_every_metric_it_names_is_told(served, dashboard, expressions):
    samples = {each.name for family in text_string_to_metric_families(served.metrics()) for each in family.samples}
    variables = [(each["name"], each["query"]["query"]) for each in dashboard["templating"]["list"] if each["type"] == "query"]
    for title, expression in expressions + [(name, query.replace("(", " ").replace(",", " ")) for name, query in variables]:
        named = set(METRIC.findall(expression))
        assert named, f"{title} asks for nothing of ours: {expression}"
        assert named <= samples, f"{title} asks for {named - samples}"


def test_every_metric_of_ours_is_shown_or_known(served, expressions):
    """What is added to the service is added to the dashboard, unless it says nothing that is not there already."""
    families = text_string_to_metric_families(served.metrics())
    told = {each.name for each in families if each.name.startswith("ffstream_") and not each.name.endswith("_created")}
    shown = " ".join(expression for _, expression in expressions)
    assert {name for name in told if name not in shown} == {"ffstream_ready", "ffstream_feeding_paused"}


def test_panels_have_places_of_their_own(dashboard):
    cells, ids = set(), set()
    for panel in dashboard["panels"]:
        place = panel["gridPos"]
        covered = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert max(x for x, _ in covered) < 24
        assert not cells & covered, panel["title"]
        assert panel["id"] not in ids
        cells |= covered
        ids.add(panel["id"])


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_metrics_and_configuration_please_promtool(served, deploy):
    linted = subprocess.run([PROMTOOL, "check", "metrics"], input=served.metrics(), capture_output=True, text=True)
    assert (linted.returncode, linted.stderr) == (0, "")
    config = deploy / "prometheus" / "prometheus.yml"
    checked = subprocess.run([PROMTOOL, "check", "config", config], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.fixture
def prometheus(served, deploy, tmp_path):
    """A real one, with our configuration, that scrapes the service; its URL."""
    config = (deploy / "prometheus" / "prometheus.yml").read_text()
    assert "gateway:8000" in config
    config = config.replace("gateway:8000", served.address).replace("scrape_interval: 5s", "scrape_interval: 1s")
    (tmp_path / "prometheus.yml").write_text(config)
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    flags = [f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "log").open("wb") as log:
        running = subprocess.Popen([PROMETHEUS, *flags, f"--web.listen-address={address}"], stdout=log, stderr=log)
    try:
        yield f"http://{address}"
    finally:
        running.terminate()
        running.wait(30)


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed")
def test_a_real_prometheus_answers_every_panel(prometheus, expressions):
    def ask(expression):
        answer = httpx2.get(f"{prometheus}/api/v1/query", params={"query": expression})
        assert answer.status_code == 200, f"{expression}: {answer.text}"
        return answer.json()["data"]["result"]

    def filled(expression):
        return expression.replace("$instance", ".*").replace("$__rate_interval", "1m")

    until(lambda: ask("count_over_time(ffstream_seq[1m]) >= 3"), 60, in_spite_of=httpx2.TransportError)
    for title, expression in expressions:
        if "changes(" not in expression:
            assert ask(filled(expression)), f"{title} shows nothing: {expression}"
        else:
            ask(filled(expression))
