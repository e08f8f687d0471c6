"""A headless Chromium spoken to by its DevTools protocol: open, ask, press, photograph. For tests; Debian's package `chromium`."""

from __future__ import annotations

import base64
import itertools
import json
import shutil
import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

PROGRAM = shutil.which("chromium")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")
PATIENCE_S = 45.0


@dataclass
class Chromium:
    """`requests`: every address a page asked for. `complaints`: errors and warnings on its console, exceptions, refusals of
    its security policy."""

    folder: Path
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _opened: ExitStack = field(default_factory=ExitStack)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __enter__(self) -> Self:
        call = [str(PROGRAM), *FLAGS, f"--user-data-dir={self.folder}", "about:blank"]
        process = subprocess.Popen(call, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._opened.callback(self._end, process)
        try:
            self._page = self._opened.enter_context(self._connected())
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.command(f"{domain}.enable")
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _connected(self) -> ClientConnection:
        import httpx

        place, deadline = self.folder / "DevToolsActivePort", time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if place.exists() and place.read_text().count("\n"):
                port = place.read_text().splitlines()[0]
                pages = httpx.get(f"http://127.0.0.1:{port}/json").json()
                page = next(page for page in pages if page["type"] == "page")
                return connect(page["webSocketDebuggerUrl"], max_size=None)
            time.sleep(0.1)
        raise TimeoutError("Chromium did not start")

    def command(self, method: str, **parameters: Any) -> dict[str, Any]:
        number = next(self._numbers)
        self._page.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self._page.recv(timeout=PATIENCE_S))
            if told.get("id") == number:
                if "error" in told:
                    raise ValueError(f"{method}: {told['error']}")
                result: dict[str, Any] = told["result"]
                return result
            self._note(told)

    def _note(self, told: dict[str, Any]) -> None:
        method, parameters = told.get("method"), told.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in {"error", "warning"}:
            self.complaints.append(f"{parameters['entry']['text']} {parameters['entry'].get('url', '')}")
        elif method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in {"error", "warning", "assert"}:
            self.complaints.append(str(parameters["args"]))

    def open(self, address: str, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        self.command(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.command("Emulation.setEmulatedMedia", features=scheme)
        self.command("Page.navigate", url=address)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression; awaits promises."""
        told = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in told:
            raise ValueError(f"{expression}: {told['exceptionDetails']}")
        return told["result"].get("value")

    def wait(self, expression: str, within_s: float = PATIENCE_S) -> Any:
        """Until the expression is true; its value."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            value = self.ask(expression)
            if value:
                return value
            time.sleep(0.1)
        raise TimeoutError(f"{expression} was not true within {within_s:.0f} s; the page complained: {self.complaints}")

    def press(self, key: str, text: str = "") -> None:
        down = {"text": text} if text else {}
        self.command(
            "Input.dispatchKeyEvent", type="keyDown", key=key, code=key, windowsVirtualKeyCode=KEYS.get(key, 0), **down
        )
        self.command("Input.dispatchKeyEvent", type="keyUp", key=key, code=key, windowsVirtualKeyCode=KEYS.get(key, 0))

    def choose(self, selector: str, path: Path) -> None:
        """Put a file of this machine into a file input, as its dialog would."""
        document = self.command("DOM.getDocument")["root"]["nodeId"]
        found = self.command("DOM.querySelector", nodeId=document, selector=selector)["nodeId"]
        self.command("DOM.setFileInputFiles", nodeId=found, files=[str(path)])

    def photograph(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.command("Page.captureScreenshot", format="png")["data"]))


KEYS = {
    "Enter": 13,
    "Escape": 27,
    "ArrowRight": 39,
    "ArrowLeft": 37,
    "ArrowDown": 40,
    "Tab": 9,
    "End": 35,
    "Home": 36,
    " ": 32,
}
