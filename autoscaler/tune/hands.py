"""Who does the work: this process, processes beside it, or a Dask cluster. All give the same answers to the same tasks.

Separate because nothing else of a session may depend on how many hands there are: tasks go in in an order and their answers
are asked for in that order. The only module that knows Dask.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any, Protocol

from autoscaler.errors import UsageError
from autoscaler.tune.scoring import Ground, Score, Task, scored

Answer = Callable[[], Score]  # waits until it is there
ANSWERS_WITHIN_S = 5  # a scheduler that is there answers at once
GROUP = "install FlexCapsule with the group tune: pip install 'flexcapsule[tune]'"


class Hands(Protocol):
    """Does tasks, several at a time or one when its answer is asked for."""

    @property
    def count(self) -> int: ...

    def __call__(self, task: Task) -> Answer: ...


@contextmanager
def local(ground: Ground, jobs: int) -> Iterator[Hands]:
    """This machine: `jobs` processes, or this one alone."""
    if jobs == 1:
        yield _Alone(ground)
        return
    context = get_context("forkserver")  # its processes begin with everything imported, which takes seconds, once
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(jobs, context, _prepare, (ground,))
    try:
        yield _Beside(pool, jobs)
    finally:
        for process in list((pool._processes or {}).values()):  # noqa: SLF001  what is under way is of no use to anybody any more
            process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def cluster(ground: Ground, address: str) -> Iterator[Hands]:
    """The workers of the Dask scheduler at `address`. Raises UsageError where it does not answer or has none."""
    try:
        from distributed import Client
    except ImportError:
        raise UsageError(f"--scheduler needs Dask distributed, which is not installed: {GROUP}") from None
    try:
        connected: Any = Client  # which has no types
        client = connected(address, timeout=ANSWERS_WITHIN_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"no Dask scheduler answers at {address} ({type(error).__name__}); start one with `dask scheduler`, workers with "
            f"`dask worker {address}`, and give its address as tcp://HOST:8786"
        ) from None
    with client:
        yield _Elsewhere(client, ground, address)


class _Alone:
    count = 1

    def __init__(self, ground: Ground) -> None:
        self._ground = ground

    def __call__(self, task: Task) -> Answer:
        return lambda: scored(self._ground, task)


class _Beside:
    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self._pool, self.count = pool, count

    def __call__(self, task: Task) -> Answer:
        answer = self._pool.submit(_scored, task)

        def wait() -> Score:
            try:
                return answer.result()
            except BrokenProcessPool:
                raise UsageError(
                    "a worker process died (out of memory?); what was scored is kept: the same call goes on from there, "
                    "with fewer --jobs if memory is short"
                ) from None

        return wait


class _Elsewhere:
    def __init__(self, client: Any, ground: Ground, address: str) -> None:
        self._client, self._address = client, address
        workers = client.scheduler_info(n_workers=-1)["workers"]
        self.count = sum(int(worker["nthreads"]) for worker in workers.values())
        if not workers:
            raise UsageError(f"the Dask scheduler at {address} has no workers; start some: dask worker {address}")
        _refuse_other_versions(client)
        self._ground = client.scatter(ground, broadcast=True, hash=False)

    def __call__(self, task: Task) -> Answer:
        answer = self._client.submit(scored, self._ground, task, pure=False)

        def wait() -> Score:
            try:
                found: Score = answer.result()
            except (
                OSError,
                RuntimeError,
            ) as error:  # the scheduler went, or a worker died of this task, again and again
                raise UsageError(
                    f"the cluster at {self._address} could not finish: {type(error).__name__}: {error}; what was scored is "
                    "kept: the same call goes on from there"
                ) from None
            return found

        return wait


def _refuse_other_versions(client: Any) -> None:
    """Another FlexCapsule would give other scores, and nobody would see it."""
    ours = _version()
    for worker, theirs in sorted(client.run(_version, on_error="return").items()):
        if theirs != ours:
            what = theirs if isinstance(theirs, str) else "none that can be imported"
            raise UsageError(f"worker {worker} has FlexCapsule {what}, this machine {ours}; install the same on all")


def _version() -> str:
    from importlib.metadata import version

    return version("flexcapsule")


_ground: list[Ground] = []  # of this worker process


def _prepare(ground: Ground) -> None:
    """Ctrl-C reaches all processes of a terminal: only the one that keeps the trials answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _ground[:] = [ground]


def _scored(task: Task) -> Score:
    return scored(_ground[0], task)
