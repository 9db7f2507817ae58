"""The live page in a real browser, on a real server. Needs ``pip install -e '.[browser]'`` and a Chromium on the path."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uvicorn

from ffstream.client import Client
from ffstream_gateway.keys import Scope, add
from ffstream_gateway.listen import Server
from ffstream_gateway.settings import Settings
from ffstream_gateway.several import create_service

api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install -e '.[browser]'")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the path: apt-get install chromium")

PATIENCE = 30_000
"""Milliseconds until something must be on the page."""


class Served:
    """A service on a port of its own, which can be stopped and started again."""

    def __init__(self, folder: Path, **flags: Any) -> None:
        own = {"chain": "in-process", "units": (40, 40), "every": 100, "idle": None, "snapshot_every": None, "folder": folder}
        self.settings = Settings.load({**own, **flags}, None)
        self.key: str | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        config = uvicorn.Config(create_service(self.settings), port=self.port, log_level="warning")
        self.server = Server(config)
        self._thread = threading.Thread(target=self.server.run, daemon=True)
        self._thread.start()
        with Client(self.url, key=self.key) as client:
            client.ready(timeout=30)

    def stop(self) -> None:
        self.server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "it waits for those who listen"

    def feed(self, x: Any, y: Any) -> None:
        with Client(self.url, key=self.key) as client:
            last = client.feed(x, y).last
            while client.status().through < last:
                time.sleep(0.02)


@pytest.fixture(scope="module")
def served(no_settings: None, tmp_path_factory: pytest.TempPathFactory, digits: Any) -> Iterator[Served]:
    served = Served(tmp_path_factory.mktemp("served") / "data")
    order = digits.order(1, seed=1)[:450]
    served.feed(digits.x[order], digits.y[order])
    yield served
    served.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Opened:
    """A page, and whatever the browser has complained of."""

    def __init__(self, context: Any, url: str) -> None:
        self.complaints: list[str] = []
        self.page = context.new_page()
        self.page.set_default_timeout(PATIENCE)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(url)

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def has(self, selector: str, text: str) -> None:
        api.expect(self.page.locator(selector)).to_contain_text(text, timeout=PATIENCE)


@pytest.fixture
def visit(browser: Any, served: Served) -> Iterator[Any]:
    contexts, visits = [], []

    def open_page(url: str = served.url, **options: Any) -> Opened:
        contexts.append(browser.new_context(**options))
        visits.append(Opened(contexts[-1], url))
        visits[-1].has("#state", "ready")
        visits[-1].page.wait_for_selector("#version:not(:empty)")
        return visits[-1]

    yield open_page
    for context in contexts:
        context.close()
    assert [complaint for each in visits for complaint in each.complaints] == []


def test_everything_is_there(visit):
    visited = visit()
    page = visited.page
    page.wait_for_selector("#fields li")
    visited.has("#tiles", "450 frames learned")
    assert page.locator("#curve polyline").count() == 1
    assert page.locator("#goodness svg").count() == 2
    assert page.locator("#goodness .bar-positive").count() > 2
    assert page.locator("#goodness .bar-negative").count() > 2
    assert page.locator("#confusion tbody tr").count() == 10
    assert page.locator("#frames canvas").count() == 24
    assert page.locator("#dreams canvas").count() == 24
    assert page.locator("#fields canvas").count() == 36
    named = "each => !!(each.getAttribute('aria-label') || each.textContent.trim() || each.labels?.length)"
    assert page.evaluate(f"[...document.querySelectorAll('[role=img], button:not(#ask *), select, input')].every({named})")


def ground(page: Any) -> int:
    """How bright the page is."""
    color = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(int, color.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.mark.parametrize(("scheme", "other"), [("light", "dark"), ("dark", "light")])
def test_both_themes(visit, scheme, other):
    page = visit(color_scheme=scheme).page
    before = ground(page)
    assert (before > 384) == (scheme == "light")
    page.select_option("#theme", other)
    assert (ground(page) > 384) == (other == "light")
    page.reload()
    assert (ground(page) > 384) == (other == "light"), "the choice is forgotten"
    page.select_option("#theme", "")
    assert ground(page) == before


def test_phone_width(visit):
    page = visit(viewport={"width": 360, "height": 740}, has_touch=True).page
    page.wait_for_selector("#fields li")
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def strokes(page: Any) -> None:
    """A one."""
    box = page.locator("#box")
    box.scroll_into_view_if_needed()
    edge = box.bounding_box()
    page.mouse.move(edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] * 0.1)
    page.mouse.down()
    page.mouse.move(edge["x"] + edge["width"] / 2, edge["y"] + edge["height"] * 0.9, steps=8)
    page.mouse.up()


def test_a_digit_is_drawn_and_looked_at(visit):
    visited = visit()
    with visited.page.expect_response("**/explain") as answered:
        strokes(visited.page)
    explained = answered.value.json()
    visited.has("#looks-like", str(explained["by_goodness"]["label"]))
    sent = np.array(answered.value.request.post_data_json["frame"]).reshape(8, 8)
    assert sent[:, 3:5].min() > 0.5 > sent[:, [0, 7]].max(), "a bar in the middle"
    assert visited.page.locator("#answer tbody tr").count() == 10
    visited.page.click("#clear")
    assert visited.page.locator("#answer tbody tr").count() == 0


def test_drawing_with_the_keyboard(visit):
    page = visit().page
    page.focus("#box")
    with page.expect_response("**/explain") as answered:
        for key in ["ArrowUp"] * 6 + [" "] + ["ArrowDown"] * 12:
            page.keyboard.press(key)
    assert answered.value.ok
    page.keyboard.press("Escape")


def test_an_image_is_fitted_and_inverted(visit):
    page = visit().page
    svg = '<svg xmlns="http://www.w3.org/2000/svg" width="90" height="90"><rect width="90" height="90" fill="#fff"/>'
    drawn = page.evaluate_handle(
        """async (svg) => {
            const image = new Image(); image.src = 'data:image/svg+xml,' + encodeURIComponent(svg); await image.decode();
            const canvas = new OffscreenCanvas(90, 90); canvas.getContext('2d').drawImage(image, 0, 0);
            const blob = await canvas.convertToBlob(); return [...new Uint8Array(await blob.arrayBuffer())];
        }""",
        svg + '<rect x="40" y="10" width="10" height="70"/></svg>',
    ).json_value()
    with page.expect_response("**/explain") as answered:
        page.set_input_files("#image", {"name": "one.png", "mimeType": "image/png", "buffer": bytes(drawn)})
    sent = np.array(answered.value.request.post_data_json["frame"]).reshape(8, 8)
    assert sent[:, 3:5].min() > 0.3 > sent[:, [0, 7]].max()


def test_a_file_that_is_no_image(visit):
    visited = visit()
    visited.page.set_input_files("#image", {"name": "not.png", "mimeType": "image/png", "buffer": b"nothing"})
    visited.has("#draw", "no image")


def test_the_buttons(visit, served, digits):
    visited = visit()
    page = visited.page
    page.click("#sleep")
    visited.has("#news", "Asleep for")
    page.focus("#pause")
    page.keyboard.press("Enter")
    visited.has("#pause", "Resume feeding")
    assert page.get_attribute("#pause", "aria-pressed") == "true"
    visited.has("#tiles", "feeding is paused")
    with Client(served.url) as client:
        assert client._http.post("/feed", json={"frames": [[0.0] * 64]}).status_code == 503
    page.keyboard.press("Enter")
    visited.has("#news", "goes on")
    page.click("#snapshot")
    visited.has("#news", "is being saved")
    visited.has("#snapshots", "450")
    served.feed(digits.x[450:460], digits.y[450:460])
    visited.has("#tiles", "460 frames learned")
    page.click("text=Restore >> nth=0")
    visited.has("#ask-text", "10 of 460 frames")
    page.keyboard.press("Escape")
    page.click("text=Restore >> nth=0")
    page.click("#ask-yes")
    visited.has("#tiles", "450 frames learned")


def test_how_far_it_is_behind(browser, served):
    context = browser.new_context()
    moment = context.request.get(f"{served.url}/moment").json() | {"waiting": 1200, "frames_per_second": 400.0}
    context.route(
        "**/events", lambda route: route.fulfill(content_type="text/event-stream", body=f"data: {json.dumps(moment)}\n\n")
    )
    visited = Opened(context, served.url)
    visited.has("#tiles", "3 s behind")
    context.close()
    assert visited.complaints == []


def test_it_comes_back_after_a_restart(browser, no_settings, tmp_path, digits):
    served = Served(tmp_path / "data")
    try:
        served.feed(digits.x[:50], digits.y[:50])
        visited = Opened(browser.new_context(), served.url)
        visited.has("#tiles", "50 frames learned")
        served.stop()
        visited.has("#state", "unreachable")
        visited.has("#trouble", "trying again")
        served.start()
        visited.has("#state", "ready")
        visited.has("#tiles", "50 frames learned")
        assert not visited.page.locator("#trouble").is_visible()
        assert all("ERR_" in complaint for complaint in visited.complaints), visited.complaints
    finally:
        served.stop()


def test_new_labels_appear(browser, no_settings, tmp_path, digits):
    """While somebody looks, and go again with the snapshot that had none of them."""
    served = Served(tmp_path / "data", classes=4, max_classes=10)
    try:
        known = np.flatnonzero(digits.y < 4)[:40]
        served.feed(digits.x[known], digits.y[known])
        visited = Opened(browser.new_context(), served.url)
        visited.has("#network", "4 labels")
        rows = visited.page.locator("#confusion tbody tr")
        api.expect(rows).to_have_count(4, timeout=PATIENCE)
        visited.page.click("#snapshot")
        visited.has("#snapshots", "40")
        served.feed(digits.x[:60], digits.y[:60])
        visited.has("#news", "10 are known now")
        visited.has("#network", "10 labels")
        api.expect(rows).to_have_count(10, timeout=PATIENCE)
        strokes(visited.page)
        api.expect(visited.page.locator("#answer tbody tr")).to_have_count(10, timeout=PATIENCE)
        visited.page.click("text=Restore >> nth=0")
        visited.page.click("#ask-yes")
        visited.has("#network", "4 labels")
        api.expect(rows).to_have_count(4, timeout=PATIENCE)
        assert visited.complaints == []
    finally:
        served.stop()


@pytest.mark.parametrize(
    ("flags", "feed", "said"),
    [
        ({"inputs": 63}, {"frames": [[0.5] * 63] * 30, "labels": [1, 2] * 15}, "63 numbers"),
        ({"inputs": 4}, {"frames": [[0.5] * 4] * 30, "labels": [1, 2] * 15}, "too few"),
        ({"task": "sequence", "context": 4}, {"text": "<b>the fox</b> saw the grapes"}, "symbols"),
    ],
)
def test_what_is_no_picture_is_said(browser, no_settings, tmp_path, flags, feed, said):
    served = Served(tmp_path / "data", **flags)
    try:
        with Client(served.url) as client:
            assert client._http.post("/feed", json=feed).status_code == 202
        visited = Opened(browser.new_context(), served.url)
        visited.page.wait_for_selector("#frames li")
        for part in ("#draw", "#frames-note", "#fields-note"):
            visited.has(part, said)
        assert visited.page.locator("#frames canvas").count() == 0
        assert visited.complaints == []
    finally:
        served.stop()


def test_every_model_has_a_page_that_leads_to_the_others(browser, no_settings, tmp_path):
    served = Served(tmp_path / "data", models={"left": {}, "right": {"classes": 4}})
    try:
        visited = Opened(browser.new_context(), served.url)
        visited.has("#network", "10 labels")
        assert visited.page.locator("#models [aria-current]").inner_text() == "left"
        visited.page.click("#models a:has-text('right')")
        visited.page.wait_for_url(f"{served.url}/models/right/")
        visited.has("#network", "4 labels")
        visited.has("#state", "ready")
        assert visited.page.locator("#models [aria-current]").inner_text() == "right"
        assert visited.complaints == []
    finally:
        served.stop()


@pytest.mark.parametrize("scope", [Scope.ADMIN, Scope.CLASSIFY])
def test_a_key_is_asked_for(browser, no_settings, tmp_path, scope):
    """A scope that is short of something leaves it out, and shows the rest."""
    served = Served(tmp_path)
    served.feed(np.ones((10, 64)), [1] * 10)
    key = add(served.settings.keys_file, "page", [scope])
    context = browser.new_context()
    visited = Opened(context, served.url)
    page = visited.page
    for given, why in (("ffs_wrong_key", "got none"), (key, "none of this service's")):
        visited.has("#key-why", why)
        page.fill("#key-given", given)
        page.click("#key button")
    visited.has("#state", "ready")
    visited.has("#tiles", "10 frames learned")
    page.wait_for_selector("#fields li")
    assert page.locator("#key").is_hidden()
    assert page.locator("#frames canvas").count() == (10 if scope is Scope.ADMIN else 0)
    page.click("#snapshot")
    visited.has("#news", "is being saved" if scope is Scope.ADMIN else "key page: got classify, expected admin")
    assert key not in page.content()
    assert context.new_page().goto(f"{served.url}/status").status == 401, "no cookie lets a page of another site in"
    context.close()
    served.stop()
