"""An interface of the shop's own, or of another product, as a file describes it."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx

from workers.connectors.calls import Answer, Calls, within
from workers.connectors.connector import DAY_MS, MINUTE_MS, Raw, Reach
from workers.connectors.errors import PlatformRefused, PlatformTrouble, TokenExpired
from workers.connectors.paging import Record, from_last_page, in_order, listed
from workers.connectors.rest_form import (
    CursorPages,
    ListForm,
    NumberedPages,
    OAuth2,
    RestForm,
    found,
)
from workers.connectors.shapes import rows_of
from workers.connectors.tokens import Access, Token, TokenStore

_MOST_PAGES = 10_000


class Rest:
    """Lists of an interface, read by windows of time of change."""

    def __init__(self, form: RestForm, *, secret: str, store: TokenStore, calls: Calls) -> None:
        """
        Args:
            secret: the key, or the client's secret.
        """
        self.name = form.name
        self.reach = Reach(
            step_ms=form.step_minutes * MINUTE_MS,
            longest_ms=form.longest_hours * 60 * MINUTE_MS,
            history_ms=form.history_days * DAY_MS,
        )
        self._form, self._secret, self._calls = form, secret, calls
        # A key is what it is; a client begins without a token, and asks for one.
        given = Token("" if isinstance(form.auth, OAuth2) else secret)
        self._access = Access(form.name, given, store, self._renewed)

    def read(self, since_ms: int, until_ms: int) -> Iterator[Raw]:
        """The events of all lists in a window."""
        for one in self._form.lists:
            for record in self._records(one, one.window(since_ms, until_ms)):
                yield from rows_of(one, record)

    def _records(self, one: ListForm, window: dict[str, str]) -> list[Record]:
        def ask(**more: str) -> Answer:
            return self._ask(one.path, one.parameters | window | more)

        pages = one.pages
        if isinstance(pages, CursorPages):
            records = list(_by_cursor(one, pages, ask))
        else:
            records = list(_by_number(one, pages, ask))
        keyed = [
            {"id": found(one.id, each), "modified": found(one.modified, each), "record": each}
            for each in records
        ]
        return [each["record"] for each in in_order(keyed, modified="modified", key="id")]

    def _ask(self, path: str, parameters: dict[str, str]) -> Answer:
        url = f"{str(self._form.base_url).rstrip('/')}/{path.lstrip('/')}"

        def ask(token: str) -> Answer:
            if not token and self._form.auth is not None:
                raise TokenExpired("there is no token yet")
            headers = self._headers(token)
            return self._calls.ask(
                lambda: httpx.Request("GET", url, params=parameters, headers=headers)
            )

        return self._access.call(ask)

    def _headers(self, token: str) -> dict[str, str]:
        auth = self._form.auth
        if auth is None:
            return {}
        if isinstance(auth, OAuth2):
            return {"Authorization": f"Bearer {token}"}
        return {auth.header: f"{auth.prefix}{token}"}

    def _renewed(self, _: Token) -> Token:
        auth = self._form.auth
        if not isinstance(auth, OAuth2):
            raise PlatformRefused("a key cannot be renewed")
        said = {"grant_type": "client_credentials"} | ({"scope": auth.scope} if auth.scope else {})
        credentials = httpx.BasicAuth(auth.client_id, self._secret)

        def build() -> httpx.Request:
            request = httpx.Request("POST", str(auth.token_url), data=said)
            return next(credentials.auth_flow(request))

        return Token(str(within(self._calls.ask(build), "access_token")))


Ask = Callable[..., Answer]


def _by_cursor(one: ListForm, pages: CursorPages, ask: Ask) -> Iterator[Record]:
    answer = ask()
    seen: set[Any] = set()
    while True:
        cursor = found(pages.next, answer)
        yield from _listed(one, answer, is_due=cursor)
        if not cursor:
            return
        if cursor in seen or len(seen) > _MOST_PAGES:
            raise PlatformTrouble("the pages lead in a circle")
        seen.add(cursor)
        answer = ask(**{pages.parameter: str(cursor)})


def _by_number(one: ListForm, pages: NumberedPages, ask: Ask) -> Iterator[Record]:
    size = {pages.size_parameter: str(pages.size)} if pages.size_parameter else {}

    def page(number: int) -> tuple[int, list[Record]]:
        answer = ask(**size, **{pages.parameter: str(number)})
        total = found(pages.total, answer)
        if type(total) is not int:
            raise PlatformTrouble("the answer does not say how many records there are")
        return total, _listed(one, answer, is_due=total > (number - 1) * pages.size)

    total, only = page(1)
    yield from (
        only
        if total <= pages.size
        else from_last_page(total, pages.size, lambda number: page(number)[1])
    )


def _listed(one: ListForm, answer: Answer, *, is_due: Any) -> list[Record]:
    records = found(one.records, answer)
    if not isinstance(records, list):
        raise PlatformTrouble(f"the answer holds no list at {one.records}")
    return listed(records, is_due=is_due)
