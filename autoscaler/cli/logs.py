"""Logs: structlog to standard error, for people or as JSON (what is written there of decisions: chronicle.py). Reasons in them are those that were recorded, none is made here."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def machines(form: str) -> bool:
    """Whether logs in `form` are for machines."""
    return form == "json" or (form == "auto" and not sys.stderr.isatty())


def configure(form: str, level: str) -> None:
    """`form`: human, json, or auto (human on a terminal)."""
    import structlog

    people = not machines(form)
    last: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty() and not os.environ.get("NO_COLOR"), pad_event_to=0)
        if people
        else structlog.processors.JSONRenderer(sort_keys=False)
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="%H:%M:%S" if people else "iso", utc=not people),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=lambda *_: structlog.PrintLogger(
            sys.stderr
        ),  # looked up each time: a live display may stand before it
        cache_logger_on_first_use=False,
    )
    uvicorn = logging.getLogger("uvicorn")
    uvicorn.handlers, uvicorn.propagate, uvicorn.level = [_Passed()], False, logging.WARNING


class _Passed(logging.Handler):
    """What the HTTP server says, in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        exc_info = {"exc_info": record.exc_info} if record.exc_info else {}
        log().log(record.levelno, record.getMessage(), logger=record.name, **exc_info)


def log() -> Any:
    """The logger: `log().info(event, name=value, ...)`."""
    import structlog

    return structlog.get_logger()
