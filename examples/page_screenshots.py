"""Pictures of the live page while a service learns digits: light, dark, and on a phone.

pip install -e '.[browser]'             # and a Chromium on the path
python examples/page_screenshots.py docs
"""

import math
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from ffstream.client import Client
from ffstream.datasets import load
from ffstream_gateway.child import Child

FLAGS = ("--chain", "in-process", "--units", "500,500", "--every", "125")
DESKTOP, PHONE = {"width": 1240, "height": 1290}, {"width": 375, "height": 812}
ZERO = [(0.5 + 0.22 * math.cos(turn / 10), 0.5 + 0.36 * math.sin(turn / 10)) for turn in range(64)]
"""Places along a digit, as shares of the box."""


def learn(url: str) -> None:
    """Stream the digits once, in small pieces, and ask about some of them in between."""
    digits = load("digits")
    order = digits.order(passes=1, seed=0)
    with Client(url) as client:
        client.ready(timeout=60)
        for start in range(0, len(order), 60):
            rows = order[start : start + 60]
            last = client.feed(digits.x[rows], digits.y[rows]).last
            while client.status().through < last:
                client.classify(digits.x_held[:5])
                time.sleep(0.01)
            if start == 780:
                client.snapshot()
        client.snapshot()


def draw(page: Any) -> None:
    """Draw a zero."""
    box = page.locator("#box")
    box.evaluate("box => box.scrollIntoView({block: 'center'})")
    edge = box.bounding_box()
    for at, (x, y) in enumerate(ZERO):
        page.mouse.move(edge["x"] + x * edge["width"], edge["y"] + y * edge["height"])
        if at == 0:
            page.mouse.down()
    page.mouse.up()
    page.wait_for_selector("#looks-like")


def shoot(browser: Any, url: str, path: Path, whole: bool, **options: Any) -> None:
    """One picture, once everything is on the page."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.goto(url)
    page.wait_for_selector("#fields li")
    page.wait_for_selector("#snapshots tbody tr")
    draw(page)
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(2500)
    page.screenshot(path=path, full_page=whole)
    context.close()


def main(folder: str = "docs") -> None:
    """Write ``page.png``, ``page-dark.png`` and ``page-phone.png``."""
    target = Path(folder)
    target.mkdir(exist_ok=True)
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with Child(FLAGS) as child, sync_playwright() as playwright:
        url = child.url()
        learn(url)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shoot(browser, url, target / "page.png", False, viewport=DESKTOP, color_scheme="light")
        shoot(browser, url, target / "page-dark.png", True, viewport=DESKTOP, color_scheme="dark")
        shoot(browser, url, target / "page-phone.png", True, viewport=PHONE, color_scheme="light", has_touch=True)
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
