"""What the signals of a long run mean. Separate so that whatever runs long ends in the same way."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def handled(stop: Callable[[], None], reload: Callable[[], None]) -> Iterator[None]:
    """Ctrl-C and SIGTERM `stop` the run after the turn under way, a second Ctrl-C at once; SIGHUP means `reload`."""

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        del frame
        stop()
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)

    def ask_to_reload(number: int, frame: FrameType | None) -> None:
        del number, frame
        reload()

    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
    handlers = {signal.SIGINT: ask_to_stop, signal.SIGTERM: ask_to_stop, signal.SIGHUP: ask_to_reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
