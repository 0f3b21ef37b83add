"""A headless Chromium for tests: addresses and clicks go in, texts and pictures come out, over the W3C WebDriver protocol."""

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the key of an element in the protocol's answers
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
PATIENCE_SECONDS = 180


class Browser:
    """One window.

    Args:
        session: the address of its WebDriver session.
    """

    def __init__(self, session: str) -> None:
        self.session = session

    def open(self, address: str) -> None:
        request(self.session + "/url", {"url": address})

    def resize(self, width: int, height: int) -> None:
        """Gives the page this size in CSS pixels, which may be less than a window can have."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        request(self.session + "/goog/cdp/execute", {"cmd": "Emulation.setDeviceMetricsOverride", "params": size})

    def script(self, body: str, *arguments: Any) -> Any:
        """Runs JavaScript, the body of a function, and returns what it returns."""
        return request(self.session + "/execute/sync", {"script": body, "args": list(arguments)})

    def wait(self, condition: Callable[[], Any], what: str) -> Any:
        """Returns what `condition` gives as soon as that is true."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with contextlib.suppress(urllib.error.HTTPError):  # the page changed under it
                if found := condition():
                    return found
            time.sleep(0.2)
        raise AssertionError(f"not on the page after {PATIENCE_SECONDS} s: {what}; it says:\n{self.text()}")

    def find(self, xpath: str) -> str:
        """Returns the element at `xpath`, waited for."""
        search = {"using": "xpath", "value": xpath}
        return self.wait(lambda: request(self.session + "/element", search)[ELEMENT], xpath)

    def click(self, xpath: str) -> None:
        def clicked() -> bool:
            element = request(self.session + "/element", {"using": "xpath", "value": xpath})[ELEMENT]
            request(f"{self.session}/element/{element}/click", {})
            return True

        self.wait(clicked, f"{xpath}, to be clicked")

    def enter_frame(self, xpath: str) -> None:
        """What follows looks into the frame at `xpath`."""
        request(self.session + "/frame", {"id": {ELEMENT: self.find(xpath)}})

    def text(self) -> str:
        """The text that the page shows."""
        return self.script("return document.body.innerText")

    def wait_for_text(self, *texts: str) -> str:
        """Returns the page's text as soon as it has all `texts`."""
        return self.wait(lambda: all(text in self.text() for text in texts) and self.text(), f"the texts {texts}")

    def picture(self, path: Path) -> None:
        """Writes what the window shows as PNG."""
        path.write_bytes(base64.b64decode(request(self.session + "/screenshot")))


def request(address: str, body: dict[str, Any] | None = None, method: str | None = None) -> Any:
    """Returns the value of the driver's answer."""
    data = None if body is None else json.dumps(body).encode()
    call = urllib.request.Request(address, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(call, timeout=180) as answer:
            return json.load(answer)["value"]
    except urllib.error.HTTPError as error:
        error.add_note(error.read().decode())
        raise


@contextlib.contextmanager
def chromium(place: Path) -> Iterator[Browser]:
    """Yields a browser whose profile and log are in the folder `place`; skips the test on a machine without Chromium.

    With VERDELTA_REQUIRE_BROWSER=1 such a machine fails the test.
    """
    binary, driver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if not binary or not driver:
        if os.environ.get("VERDELTA_REQUIRE_BROWSER") == "1":
            pytest.fail("VERDELTA_REQUIRE_BROWSER=1, and chromium and chromedriver are not both on the PATH")
        pytest.skip("chromium and chromedriver are not both on the PATH")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    with (place / "chromedriver.log").open("wb") as log:
        process = subprocess.Popen([driver, f"--port={port}"], stdout=log, stderr=log)
    root = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(root)
        arguments = [*FLAGS, f"--user-data-dir={place / 'profile'}"]
        options = {"goog:chromeOptions": {"binary": binary, "args": arguments}}
        session = f"{root}/session/" + request(root + "/session", {"capabilities": {"alwaysMatch": options}})["sessionId"]
        try:
            yield Browser(session)
        finally:
            request(session, method="DELETE")
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(root: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if request(root + "/status")["ready"]:
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
