"""Draws the page for docs/img/, in two minutes: `python -m tests.browser.screenshot`.

The page over a real stack with something to show: load that comes and goes, two consumers that race
for its counters, repeats, bounds, and messages that break the contract. The page takes the font
Inter where there is one (Debian: fonts-inter).
"""

import argparse
import math
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tally.local.http.server import serving
from tally.local.lambda_.event_source import Batching
from tally.local.stack import Stack, StackSettings
from tally.local.watch import WINDOW_S, Watch
from tally.publishing.publisher import Publisher
from tests.browser.browser import MISSING, be, chromium, eventually, picture

FOLDER = Path(__file__).parents[2] / "docs" / "img"
SETTINGS = StackSettings(
    consumers=2,
    batching=Batching(batch_size=40, window_s=0.05),
    visibility_timeout_s=6,
    max_receive_count=3,
)
TICK_S = 0.25
MAX_TICKS = 2_000
WARM_S = 5.0
PICTURES: dict[str, Any] = {
    "page.png": {"scale": 1.5},
    "page-dark.png": {"scale": 1.5, "dark": True},
    "page-phone.png": {"scale": 1.5, "width": 390, "height": 844},
}
COUNTERS = {
    "page:home": 30,
    "page:pricing": 11,
    "page:docs/getting-started": 17,
    "search:queries": 9,
    "cart:added": 6,
    "signup:completed": 2,
    "seats:concert-17": 3,
    "coupon:spring": 1,
}
BOUNDS = {"seats:concert-17": 5_000, "coupon:spring": 100}
BAD = (
    '{"counter": "page:home", "amount": "one"}',
    '{"counter": "cart:added", "amount": 1, "colour": "red"}',
)


def main():
    """Run the stack, load it, and draw the page."""
    if MISSING:
        sys.exit(MISSING)
    options = argparse.ArgumentParser(
        prog="python -m tests.browser.screenshot", description=__doc__
    )
    options.add_argument("--seconds", type=float, default=WINDOW_S + 5.0, help="of load")
    options.add_argument("--folder", type=Path, default=FOLDER, help="where the pictures go")
    told = options.parse_args()
    watch = Watch()
    stack = Stack(SETTINGS, observe=watch.observe, wrap_function=watch.wrap)
    with stack, serving(stack, SETTINGS, watch) as url, chromium() as driver:
        over = threading.Event()
        load = threading.Thread(target=_load, args=(stack, over))
        load.start()
        try:
            driver.get(url)
            over.wait(told.seconds)
            _send(driver)
            _draw(driver, told.folder)
        finally:
            over.set()
            load.join()


def _load(stack, over):
    """Publish by the tick until it is over; the first seconds warm the consumers."""
    draw = random.Random(7)
    names, weights = list(COUNTERS), list(COUNTERS.values())
    url, sqs = stack.queue.queue_url, stack.queue.client()
    for body in BAD:
        sqs.send_message(QueueUrl=url, MessageBody=body)
    with Publisher(url, client=sqs, linger_s=0.05) as publisher:
        for tick in range(MAX_TICKS):
            due = time.monotonic() + TICK_S
            chosen = draw.choices(names, weights, k=_events(tick * TICK_S, draw))
            for number, name in enumerate(chosen):
                increment = publisher.publish(name, max=BOUNDS.get(name))
                if number % 97 == 0:
                    publisher.publish_again(increment)
            if over.wait(due - time.monotonic()):
                return


def _events(passed_s, draw):
    """How many in this tick: two slow waves, and some noise."""
    wave = 1 + 0.55 * math.sin(passed_s / 11 - 1.6) + 0.25 * math.sin(passed_s / 4.3)
    return int(min(1, passed_s / WARM_S) * TICK_S * 1_900 * wave * draw.uniform(0.9, 1.1))


def _send(driver):
    """Fill in the form, and wait for what becomes of it."""
    for field, text in {"counter": "signup:completed", "amount": "1", "max": "10000"}.items():
        entry = driver.find_element("id", field)
        entry.clear()
        entry.send_keys(text)
    driver.find_element("id", "count").click()
    eventually(driver, lambda page: page.find_element("id", "answer").text.startswith("applied"))


def _draw(driver, folder):
    for name, window in PICTURES.items():
        be(driver, **window)
        folder.joinpath(name).write_bytes(picture(driver))


if __name__ == "__main__":
    main()
