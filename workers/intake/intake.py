"""The way in: rows of a request through the door onto the stream."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from graph.domain.ids import UserId
from workers.intake.consent import ConsentCopy
from workers.intake.door import Door
from workers.intake.errors import QuotaExceeded, StreamUnavailable
from workers.intake.look import Limits
from workers.intake.rows import Caller, Checked, RowResult, Seen
from workers.intake.stream import EventStream

log = structlog.get_logger(__name__)

_MOST_LOOKS = 4
"""The copy of consent is made again, who denied is left out, and somebody denies meanwhile."""

LoadDenied = Callable[[], Mapping[str, Iterable[UserId]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """
    How much a key may send; 0 sets no limit.

    Attributes:
        bot_per_minute: events of one device a minute, from a browser, beyond which it is a program.
    """

    browser_per_minute: int = 0
    server_per_minute: int = 0
    per_day: int = 0
    bot_per_minute: int = 300


class Intake:
    """
    Takes rows from whoever may send them.

    Consent, clocks, quotas and repeats are looked up in the one step that stores; only when that
    step finds something the door has to know are the rows looked at a second time.
    """

    def __init__(
        self,
        door: Door,
        stream: EventStream,
        *,
        consent: ConsentCopy,
        load_denied: LoadDenied | None = None,
        quotas: Quotas | None = None,
        look_for_returned: Callable[[], object] = lambda: None,
    ) -> None:
        """
        Args:
            load_denied: who denied what, by the graph; asked when Valkey has lost its copy.
            look_for_returned: brings the pseudonyms up to date; called when a row is of somebody
                who was erased, since they may have come back as somebody new.
        """
        self._door = door
        self._stream = stream
        self._consent = consent
        self._load_denied = load_denied
        self._quotas = quotas or Quotas()
        self._look_for_returned = look_for_returned

    def take(
        self,
        rows: Sequence[object],
        caller: Caller,
        *,
        received_ms: int,
        body_bytes: int | None = None,
        imported: bool = False,
    ) -> list[RowResult]:
        """
        Check rows and store the good ones; returns when they are on disk.

        Args:
            imported: history, which counts as received when it happened.

        Returns:
            What became of each row, in order.

        Raises:
            QuotaExceeded: the key sent too much; nothing was stored.
            StreamUnavailable: nothing was stored.
        """

        def check(seen: Seen) -> Checked:
            return self._door.check(
                rows,
                default_source=caller.name,
                received_ms=received_ms,
                imported=imported,
                body_bytes=body_bytes,
                caller=caller,
                seen=seen,
            )

        limits = self._limits(caller)
        barred = Seen()
        for _ in range(_MOST_LOOKS):
            checked = check(barred)
            found = self._stream.look(checked, limits)
            if isinstance(found, list):
                return found
            if found.is_cold:
                self._reload()
            elif found.denied or found.erased:
                barred = Seen(
                    denied=barred.denied | found.denied, erased=barred.erased | found.erased
                )
                if found.erased:
                    self._look_for_returned()
            elif found.quota_s is not None:
                raise QuotaExceeded(found.quota_s)
            else:
                return self._stream.accept(
                    check(replace(found, denied=barred.denied, erased=barred.erased))
                )
        raise StreamUnavailable("who denied what changes faster than it can be read")

    def ping(self) -> None:
        """Ask the stream for a sign of life; raises ``StreamUnavailable``."""
        self._stream.ping()

    def depth(self) -> int:
        """Entries of the stream that are not in the graph yet; raises ``StreamUnavailable``."""
        return self._stream.depth()

    def _limits(self, caller: Caller) -> Limits:
        quotas = self._quotas
        per_minute = quotas.browser_per_minute if caller.is_browser else quotas.server_per_minute
        return Limits(
            name=caller.name,
            per_minute=per_minute,
            per_day=quotas.per_day,
            bot_per_minute=quotas.bot_per_minute if caller.is_browser else 0,
            needs_consent_copy=self._load_denied is not None,
        )

    def _reload(self) -> None:
        if self._load_denied is None:
            return
        try:
            self._consent.load(self._load_denied())
        except StreamUnavailable:
            raise
        except Exception as error:
            # Whoever denied is not known: nothing is stored before it is.
            log.warning("consent_not_loaded", error=type(error).__name__)
            raise StreamUnavailable("who denied what is not known yet") from error
