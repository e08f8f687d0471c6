"""Getting a file from another agent. Separate because it is the only place where this agent is a client."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import closing

from autoscaler.agent.credentials import Credentials
from autoscaler.agent.images import Fetch
from autoscaler.errors import ActuationError

PORT = 8650
PATIENCE_S = 20.0
PIECE_BYTES = 1 << 18


def fetcher(credentials: Credentials) -> Fetch:
    def fetch(address: str, path: str, take: Callable[[bytes], object]) -> None:
        host, _, port = address.partition(":")
        connection = http.client.HTTPSConnection(
            host, int(port or PORT), timeout=PATIENCE_S, context=credentials.calling()
        )
        try:
            with closing(connection):
                connection.request("GET", path)
                answer = connection.getresponse()
                if answer.status != http.client.OK:
                    raise ActuationError(f"{address} does not have it", temporary=True)
                while piece := answer.read(PIECE_BYTES):
                    take(piece)
        except (OSError, ValueError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise ActuationError(f"the agent at {address} does not answer: {why}", temporary=True) from error

    return fetch
