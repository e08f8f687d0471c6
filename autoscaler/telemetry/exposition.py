"""Metrics as text, written once per turn and handed out as often as anybody scrapes, so that no scrape takes time from a turn.

Separate from the collector (what is told) because this is about when: after a turn the loop has time, in it none. Only what grows
while the loop hangs is reckoned at each scrape. Formats that nobody has asked for lately are not written.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from autoscaler.telemetry.collector import Lag, registry_of
from autoscaler.telemetry.view import Observatory, View

LATELY_S = 300.0  # longer than anybody's time between two scrapes
END = b"# EOF\n"  # OpenMetrics ends so, and what is put together must end so once
Encode = Callable[[CollectorRegistry], bytes]


@dataclass(slots=True)
class Written:
    """One format's text, of which view, and when it was last asked for."""

    encode: Encode
    view: View | None
    text: bytes
    asked_at: float


class Exposition:
    """`text` may be called from any thread; `refresh` is called by the loop's, after each turn."""

    def __init__(self, observatory: Observatory) -> None:
        self._observatory, self._written = observatory, dict[str, Written]()
        self._registry, self._live = registry_of(observatory), CollectorRegistry(auto_describe=False)
        self._live.register(Lag(observatory))
        observatory.after_publishing = self.refresh

    def text(self, accept: str) -> tuple[bytes, str]:
        """The metrics as of the newest turn, and their content type."""
        encode, kind = _encoder(accept)
        written, view = self._written.get(kind), self._observatory.view
        if written is None or written.view is not view:
            written = Written(encode, view, encode(self._registry), 0.0)
            self._written[kind] = written
        written.asked_at = self._observatory.timer()
        return written.text.removesuffix(END) + encode(self._live), kind

    def refresh(self) -> None:
        """Write anew what has been asked for lately."""
        now, view = self._observatory.timer(), self._observatory.view
        for kind, written in list(self._written.items()):
            if now - written.asked_at > LATELY_S:
                del self._written[kind]
            else:
                text = written.encode(self._registry)
                self._written[kind] = Written(written.encode, view, text, written.asked_at)


def _encoder(accept: str) -> tuple[Encode, str]:
    """The format that is asked for; the plain one where the library cannot make sense of the wish."""
    try:
        return choose_encoder(accept)
    except (TypeError, ValueError):  # prometheus_client 0.26 on a version that is no version
        return choose_encoder("")
