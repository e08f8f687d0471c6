"""Any other load balancer: a program of the operator's, told what runs. The built-in one is haproxy.py; both offer the same two calls.

`PROGRAM... keep` gets {"replicas": {service: {app VM: "address:port"}}} as JSON on standard input, at every observation: it
makes its balancer's list equal to that, and drains what is no longer in it. `PROGRAM... drained APP_VM` ends with 0 when nothing is
under way at the app VM and nothing new will come, with 1 when it is to be asked again. Any other status is a failure.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from autoscaler.errors import ActuationError

PATIENCE_S = 10.0
DRAIN_PATIENCE_S = 30.0
NOT_YET = 1


@dataclass(slots=True)
class Hook:
    """The operator's `argv`. What runs is told at every observation, changed or not: the program may have been restarted."""

    argv: Sequence[str]
    drain_patience_s: float = DRAIN_PATIENCE_S
    steady: Callable[[], float] = time.monotonic
    _asked_since: dict[str, float] = field(default_factory=dict)

    def keep(self, replicas: Mapping[str, Mapping[str, str]]) -> None:
        """Tell what runs. Raises ActuationError with the program's own words."""
        told = json.dumps(
            {"replicas": {service: dict(app_vms) for service, app_vms in replicas.items()}}, sort_keys=True
        )
        done = self._run("keep", stdin=told)
        if done.returncode != 0:
            raise self._failed("keep", done)
        running = {app_vm for app_vms in replicas.values() for app_vm in app_vms}
        self._asked_since = {app_vm: at for app_vm, at in self._asked_since.items() if app_vm not in running}

    def drained(self, app_vm: str) -> bool:
        """Whether the program says so, or has not said so for longer than the patience."""
        since = self._asked_since.setdefault(app_vm, self.steady())
        done = self._run("drained", app_vm)
        if done.returncode not in {0, NOT_YET}:
            raise self._failed("drained", done)
        ended = done.returncode == 0 or self.steady() - since >= self.drain_patience_s
        if ended:
            del self._asked_since[app_vm]
        return ended

    def _run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        argv = [*self.argv, *words]
        try:
            return subprocess.run(  # noqa: S603  the operator's own program, by argument list
                argv, input=stdin, capture_output=True, text=True, timeout=PATIENCE_S, check=False
            )
        except OSError as error:
            raise ActuationError(
                f"the load balancer's program {argv[0]} cannot be run ({error.strerror}); see load_balancer.hook",
                temporary=False,
            ) from error
        except subprocess.TimeoutExpired:
            raise ActuationError(f"`{' '.join(argv)}` did not end within {PATIENCE_S:g} s", temporary=True) from None

    def _failed(self, word: str, done: subprocess.CompletedProcess[str]) -> ActuationError:
        said = (done.stderr or done.stdout).strip() or "it said nothing"
        return ActuationError(f"`{self.argv[0]} {word}` failed ({done.returncode}): {said}", temporary=True)
