"""A controller in a process of its own, for test_killed_process.py: `python controller_process.py DIRECTORY UNTIL`.

Says `ready` when it has recovered, then a line after each event; runs, without waiting, until the virtual time UNTIL.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import restless

from autoscaler.cli.assembly import assemble
from autoscaler.core.engine import Engine


def main(directory: str, until: str) -> None:
    engine = Engine(restless.toolbox())

    def tell(now, _event, _commands):
        print(now, flush=True)
        if now >= float(until):
            controller.stop()

    controller = assemble(engine, restless.policy(), restless.scenario(), directory=Path(directory), watchers=(tell,))
    with controller:
        print("ready", flush=True)
        if engine.state.history.at != float(until):
            controller.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
