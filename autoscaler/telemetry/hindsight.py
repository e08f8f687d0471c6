"""The clairvoyant's bill of one hour, reckoned by a process of its own that runs only while nobody else wants a processor.

A process, because a thread would take its turns of the interpreter from the loop; one per hour, because then none is left over
when the controller is killed. Both ends are here: `judged` starts it and waits (in a thread of its own), `main` is the process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass

import numpy as np

from autoscaler.packing.hindsight import Sizes, least_cost

PATIENCE_S = 3000.0  # on a machine that is busy all the time; it is in time for the next hour's
NICEST = 19
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
LAST_WORDS = 300  # characters of what a process that failed has said


@dataclass(frozen=True, slots=True)
class Question:
    """sizes: (cores, bytes, price per hour) of what could have been rented. moments: (seconds, cores, bytes) that had to be
    served, one after the other."""

    sizes: tuple[tuple[float, float, float], ...]
    moments: tuple[tuple[float, float, float], ...]


Judge = Callable[[Question], float]


def judged(question: Question) -> float:
    """The least that those moments could have cost. Raises OSError or ValueError where that cannot be told."""
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(  # noqa: S603  this very module
            command,
            input=json.dumps(asdict(question)),
            capture_output=True,
            text=True,
            check=False,
            timeout=PATIENCE_S,
            env={**os.environ, **ONE_THREAD},
            process_group=0,  # Ctrl-C is for the controller
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"the process took longer than {PATIENCE_S:.0f} s") from error
    if done.returncode != 0:
        last = next(iter(done.stderr.strip().splitlines()[-1:]), "")
        raise ValueError(f"the process ended with {done.returncode}: {last[:LAST_WORDS]}")
    return float(json.loads(done.stdout))


def answer(question: Question) -> float:
    """The same without a process."""
    sizes = np.array(question.sizes, dtype=np.float64).reshape(-1, 3)
    moments = np.array(question.moments, dtype=np.float64).reshape(-1, 3)
    return least_cost(Sizes(sizes[:, :2], sizes[:, 2]), moments[:, 1:], moments[:, 0])


def step_back() -> None:
    """Run only when nobody else wants to; where a sandbox forbids to say so, as nicely as it lets us."""
    with suppress(OSError):
        os.nice(NICEST)
    with suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def main() -> None:
    step_back()
    asked = json.load(sys.stdin)
    question = Question(tuple(map(tuple, asked["sizes"])), tuple(map(tuple, asked["moments"])))
    json.dump(answer(question), sys.stdout)


if __name__ == "__main__":
    main()
