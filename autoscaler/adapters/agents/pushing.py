"""Images on their way to agents: sent once per agent and digest, beside the loop.

Separate because it is the one thing that takes long and belongs to no step. Who needs an image that is not there yet is told to
come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late

from autoscaler.adapters.agents.recipes import Images
from autoscaler.adapters.agents.runtimes import Runtimes
from autoscaler.adapters.providers import Rented
from autoscaler.errors import ActuationError

AT_ONCE = 4
WAIT_S = 2.0  # most images are a few megabytes: not worth another turn of the loop


class Pushing:
    """`images`: where the files are."""

    def __init__(self, agents: Runtimes, images: Images) -> None:
        self.images, self._agents = images, agents
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="push")
        self._underway: dict[tuple[str, str], Future[None]] = {}

    def ensure(self, rented: Rented, names: Sequence[str]) -> None:
        """Return when the agent has all of them. Raises a temporary ActuationError while they are on their way."""
        for name in names:
            key = (rented.address, self.images.digest(name))
            pushed = self._underway.get(key)
            if pushed is None:
                if self._agents.has_image(*key):
                    continue
                pushed = self._underway[key] = self._pool.submit(self._agents.push_image, *key, self.images.path(name))
            try:
                pushed.result(WAIT_S)
            except Late:
                raise ActuationError(f"image {name} is on its way to {rented.id}", temporary=True) from None
            except OSError as error:
                raise ActuationError(f"image {name} cannot be read: {error.strerror}", temporary=False) from None
            finally:
                if pushed.done():
                    self._underway.pop(key, None)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
