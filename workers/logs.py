"""How workers and long-running commands write their log: one JSON line per fact."""

import logging
import sys

import structlog


def configure(*, level: str = "INFO") -> None:
    """Send structlog and the libraries' loggers to stderr in one form; called by entry files."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # The driver and the scheduler say more than an operator wants to read.
    for name in ("neo4j", "apscheduler", "kombu", "amqp", "gensim", "httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It warns of every try of a transaction; of one that fails in the end, we tell ourselves.
    logging.getLogger("neo4j.session").setLevel(logging.ERROR)
