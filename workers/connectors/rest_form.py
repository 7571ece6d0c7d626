"""The file that describes an interface: where its lists are, how it pages and signs in."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import jmespath
from jmespath.exceptions import JMESPathError
from pydantic import AfterValidator, Field, HttpUrl, model_validator

from workers.connectors.connector import iso
from workers.connectors.files.mapping import MONEY, Strict, TimeForm, Zone, read_toml
from workers.intake.schema import EventBase


def _compiles(text: str) -> str:
    try:
        jmespath.compile(text)
    except JMESPathError as error:
        raise ValueError(f"{text} is no JMESPath expression") from error
    return text


_FIELDS = EventBase.model_fields.keys() | MONEY.keys()


def _are_fields(event: dict[str, str]) -> dict[str, str]:
    if strange := sorted(event.keys() - _FIELDS):
        raise ValueError(f"no fields of events: {', '.join(strange)}")
    if missing := {"event_type", "event_id", "event_time"} - event.keys():
        raise ValueError(f"nothing says the {', '.join(sorted(missing))}")
    return event


Expression = Annotated[str, AfterValidator(_compiles)]
"""A JMESPath expression."""


class KeyAuth(Strict):
    """A key in a header."""

    kind: Literal["key"]
    header: str = "Authorization"
    prefix: str = ""


class OAuth2(Strict):
    """Client credentials, as RFC 6749 section 4.4 says."""

    kind: Literal["oauth2"]
    token_url: HttpUrl
    client_id: str
    scope: str = ""


class CursorPages(Strict):
    """Each answer says where the next one begins; the last says nothing."""

    kind: Literal["cursor"]
    parameter: str = "cursor"
    next: Expression


class NumberedPages(Strict):
    """Pages from 1, and how many records there are in all; read from the last to the first."""

    kind: Literal["number"]
    parameter: str = "page"
    total: Expression
    size: int = Field(ge=1)
    size_parameter: str | None = None


class Shape(Strict):
    """
    What a record becomes, by JMESPath.

    Attributes:
        records: the list in an answer.
        only: records of which this says something are events, the others are not.
        event: our field to an expression; ``price`` and ``amount`` are decimals, in lines too.
        time: how times without a zone are to be read.
    """

    records: Expression
    only: Expression | None = None
    event: Annotated[dict[str, Expression], AfterValidator(_are_fields)]
    time: TimeForm | None = None


class ListForm(Shape):
    """
    One list of the interface.

    Attributes:
        since, until: parameters for the window, by time of change; both ends are inside.
        asks: how these times are written.
        id, modified: of a record.
    """

    path: str
    since: str
    until: str
    asks: Literal["iso", "s", "ms", "wall"] = "iso"
    zone: Zone = "UTC"
    id: Expression = "id"
    modified: Expression
    parameters: dict[str, str] = Field(default_factory=dict)
    pages: CursorPages | NumberedPages = Field(discriminator="kind")

    def window(self, since_ms: int, until_ms: int) -> dict[str, str]:
        """The parameters of a window."""
        return {self.since: self._written(since_ms), self.until: self._written(until_ms)}

    def _written(self, at_ms: int) -> str:
        if self.asks == "wall":
            at = datetime.fromtimestamp(at_ms / 1_000, UTC).astimezone(ZoneInfo(self.zone))
            return at.strftime("%Y-%m-%d %H:%M:%S")
        return {"iso": iso(at_ms), "s": str(at_ms // 1_000), "ms": str(at_ms)}[self.asks]


class WebhookForm(Strict):
    """What the shop sends by itself, and how its records become events."""

    lists: list[Shape] = Field(min_length=1)


class RestForm(Strict):
    """
    What a connector file holds.

    Attributes:
        name: of the connector, and the source of its events.
        history_days: what is older is not asked for.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    base_url: HttpUrl | None = None
    per_second: float = Field(default=5.0, gt=0)
    step_minutes: int = Field(default=60, ge=1)
    longest_hours: int = Field(default=24, ge=1)
    history_days: int = Field(default=365, ge=1)
    auth: KeyAuth | OAuth2 | None = Field(default=None, discriminator="kind")
    lists: list[ListForm] = Field(default_factory=list)
    webhook: WebhookForm | None = None

    @model_validator(mode="after")
    def _lists_have_an_address(self) -> Self:
        if self.lists and self.base_url is None:
            raise ValueError("lists need a base_url")
        return self


def read_rest_form(path: Path) -> RestForm:
    """
    The connector that a file (TOML) describes.

    Raises:
        SourceMissing: there is no such file.
        SourceUnreadable: it is no connector; the sentence says what is wrong where.
    """
    return read_toml(path, RestForm, what="connector")


def found(expression: str, record: Any) -> Any:
    """What an expression finds in a record; nothing where the record is of another kind."""
    try:
        return jmespath.search(expression, record)
    except JMESPathError:
        return None
