"""From the graph to arrays: pages of columns, kept on disk up to the last sequence number seen."""

import os
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from numpy.typing import NDArray

from graph import outliers, pulls
from graph.client import Graph
from graph.domain.events import ITEM_BEHAVIOURS, EventType
from ml.dataset import Catalogue, Interactions

log = structlog.get_logger(__name__)

SCHEMA = 1
"""Raised whenever the kept arrays change their meaning; older files are then read no more."""

PAGE = 100_000
_ITEM_COLUMNS = ("idx", "item_id", "category", "brand", "price_minor", "created_at")
_DTYPES = {
    "user": np.int32,
    "item": np.int32,
    "code": np.int8,
    "ts": np.int64,
    "seq": np.int64,
    "price": np.int64,
}


@dataclass(frozen=True, slots=True)
class Edges:
    """
    Item behaviour up to a sequence number, in no particular order.

    Shapes, N edges:
        user, item: (N,)  int32, the nodes' ``idx``
        code:       (N,)  int8, ``Behaviour.code``
        ts, seq:    (N,)  int64
        price:      (N,)  int64, minor units, -1 where unknown
    """

    upper: int
    columns: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.columns["seq"])


@dataclass(frozen=True, slots=True)
class Pulled:
    """
    All that a training run needs from the graph.

    Attributes:
        data_seq: last event sequence number that is in it.
        fresh: how many edges were not in the kept arrays.
        user_at: (max idx + 1,) position of each person by the node's ``idx``; -1 where none, and
            for bots and staff.
        set_aside: edges that nothing is learnt from, by what they are flagged for.
    """

    interactions: Interactions
    data_seq: int
    fresh: int
    edges: "Edges"
    user_at: NDArray[np.int32]
    set_aside: dict[str, int]

    def people_since(self, seq: int) -> list[str]:
        """Who has events after a sequence number."""
        idx = self.edges.columns["user"][self.edges.columns["seq"] > seq]
        positions = np.unique(_place(self.user_at, idx))
        return [self.interactions.user_ids[at] for at in positions[positions >= 0].tolist()]

    def sequences(self, steps: int) -> dict[str, int]:
        """How many people have a sequence, and of how many only the last ``steps`` events fit."""
        length = np.bincount(self.interactions.user, minlength=1)
        return {"people": int((length > 0).sum()), "cut": int((length > steps).sum())}


def pull(graph: Graph, cache: Path, *, report: Callable[[float], None], page: int = PAGE) -> Pulled:
    """
    Read people, items and their behaviour; only what came since the last pull crosses the wire.

    Args:
        cache: file of the kept arrays; made when it is not there.
        report: told which share is done, 0 to 1.
    """
    kept = _still_true(graph, load(cache))
    edges = extend(graph, kept, report=report, page=page)
    fresh = len(edges) - len(kept)
    users = _read_all(pulls.users, graph, ("idx", "user_id"), page)
    edges = _of_people(edges, users["idx"])
    if len(edges) != len(kept) or edges.upper != kept.upper:
        save(cache, edges)
    log.info("edges_pulled", kept=len(kept), fresh=fresh, upper=edges.upper)
    edges, set_aside = without_flagged(graph, edges)
    interactions, user_at = assemble(graph, edges, users, page=page)
    return Pulled(interactions, edges.upper, fresh, edges, user_at, set_aside)


def forget(graph: Graph, cache: Path, *, page: int = PAGE) -> int:
    """Drop from the kept arrays what people did who are in the graph no more; says how much."""
    kept = load(cache)
    if not len(kept):
        return 0
    left = _of_people(kept, _read_all(pulls.users, graph, ("idx",), page)["idx"])
    if len(left) < len(kept):
        save(cache, left)
    return len(kept) - len(left)


def _of_people(edges: Edges, idx: Sequence[int]) -> Edges:
    """Without the edges of people who are not there: they were erased since."""
    is_there = _place(_positions(idx, []), edges.columns["user"]) >= 0
    if is_there.all():
        return edges
    return Edges(edges.upper, {name: one[is_there] for name, one in edges.columns.items()})


def extend(
    graph: Graph, kept: Edges, *, report: Callable[[float], None], page: int = PAGE
) -> Edges:
    """Everything up to the newest event at this moment, appended to what is kept."""
    upper = graph.read(pulls.last_seq)
    parts = [kept.columns]
    for done, (kind, behaviour) in enumerate(ITEM_BEHAVIOURS.items()):
        for found in _pages(graph, kind, after=kept.upper, upper=upper, page=page):
            parts.append(_columns(found, behaviour.code))
            span = max(upper - kept.upper, 1)
            report((done + (found.last - kept.upper) / span) / len(ITEM_BEHAVIOURS))
    report(1.0)
    joined = {name: np.concatenate([part[name] for part in parts]) for name in _DTYPES}
    return Edges(upper, joined)


def without_flagged(graph: Graph, edges: Edges) -> tuple[Edges, dict[str, int]]:
    """
    The edges without purchases that are told again and prices that can hardly be true.

    They are left out here and not when they are pulled: an edge may be flagged long after.

    Returns:
        What is left, and how many edges were left out, by what they are flagged for.
    """
    seq = edges.columns["seq"]
    told_again, wrong_prices = (np.isin(seq, found) for found in graph.read(outliers.set_aside))
    kept = ~(told_again | wrong_prices)
    counted = {"told_again": int(told_again.sum()), "price_outliers": int(wrong_prices.sum())}
    return Edges(edges.upper, {name: one[kept] for name, one in edges.columns.items()}), counted


def assemble(
    graph: Graph, edges: Edges, users: Mapping[str, Sequence[Any]], *, page: int = PAGE
) -> tuple[Interactions, NDArray[np.int32]]:
    """
    Put people and items to the edges; a visitor who became known counts as the customer.

    What bots and staff did is left out here and not when it is pulled: somebody may be flagged
    long after, and what is kept on disk must not know better.

    Args:
        users: ``idx`` and ``user_id`` of everybody, in order of ``idx``.

    Returns:
        The behaviour, and the position of each person by the node's ``idx``.
    """
    items = _read_all(pulls.items, graph, _ITEM_COLUMNS, page)
    user_at = _positions(users["idx"], graph.read(pulls.identities))
    nobody = np.asarray(graph.read(pulls.left_out), np.int64)
    user_at[nobody[nobody < len(user_at)]] = -1
    item_at = _positions(items["idx"], [])
    user, item = _place(user_at, edges.columns["user"]), _place(item_at, edges.columns["item"])
    known = (user >= 0) & (item >= 0)
    interactions = Interactions.of(
        user=user[known],
        item=item[known],
        code=edges.columns["code"][known],
        ts=edges.columns["ts"][known],
        price=edges.columns["price"][known],
        seq=edges.columns["seq"][known],
        user_ids=users["user_id"],
        catalogue=Catalogue.of(
            items["item_id"],
            categories=items["category"],
            brands=items["brand"],
            prices=items["price_minor"],
            created_at=[max(made, 0) for made in items["created_at"]],
        ),
    )
    return interactions, user_at


def load(cache: Path) -> Edges:
    """The kept arrays; nothing where there are none, or none of this schema."""
    try:
        # Opened here, since NumPy leaves a damaged file open.
        with cache.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if int(stored["schema"]) == SCHEMA:
                return Edges(int(stored["upper"]), {name: stored[name] for name in _DTYPES})
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("kept_edges_unreadable", error=type(error).__name__)
    return empty()


def empty() -> Edges:
    """No edge at all."""
    return Edges(0, {name: np.empty(0, dtype) for name, dtype in _DTYPES.items()})


def save(cache: Path, edges: Edges) -> None:
    """Keep the arrays; a crash leaves the old file or the new one."""
    cache.parent.mkdir(parents=True, exist_ok=True)
    draft = cache.with_suffix(f".{os.getpid()}.part")
    with draft.open("wb") as out:
        np.savez(out, schema=SCHEMA, upper=edges.upper, **edges.columns)  # type: ignore[arg-type]
    draft.replace(cache)


def _still_true(graph: Graph, kept: Edges) -> Edges:
    """
    Nothing, unless the graph still holds the kept edges.

    A graph that was wiped and filled again counts from 1 as well, so its first and its last kept
    edge are looked up.
    """
    if not len(kept):
        return empty()
    if graph.read(pulls.last_seq) < kept.upper:
        return empty()
    by_code = {behaviour.code: kind for kind, behaviour in ITEM_BEHAVIOURS.items()}
    seq = kept.columns["seq"]
    for row in (int(seq.argmin()), int(seq.argmax())):
        edge = {name: int(kept.columns[name][row]) for name in _DTYPES}
        found = graph.read(
            pulls.edges,
            by_code[edge["code"]],
            after=edge["seq"] - 1,
            upper=edge["seq"],
            page=1,
        )
        said = (list(found.user_idx), list(found.item_idx), list(found.ts))
        if said != ([edge["user"]], [edge["item"]], [edge["ts"]]):
            log.info("kept_edges_outdated")
            return empty()
    return kept


def _pages(
    graph: Graph, kind: EventType, *, after: int, upper: int, page: int
) -> Iterator[pulls.EdgePage]:
    while after < upper:
        found = graph.read(pulls.edges, kind, after=after, upper=upper, page=page)
        if not found.n:
            return
        yield found
        if found.n < page:
            return
        after = found.last


def _read_all(
    read: Callable[..., Any], graph: Graph, names: Sequence[str], page: int
) -> dict[str, list[Any]]:
    """All pages of a table of nodes, by ``idx``."""
    columns: dict[str, list[Any]] = {name: [] for name in names}
    after = -1
    while True:
        found = graph.read(read, after_idx=after, page=page)
        for name in names:
            columns[name].extend(getattr(found, name))
        if len(found.idx) < page:
            return columns
        after = found.idx[-1]


def _columns(found: pulls.EdgePage, code: int) -> dict[str, NDArray[Any]]:
    columns: dict[str, NDArray[Any]] = {
        "user": np.asarray(found.user_idx, np.int32),
        "item": np.asarray(found.item_idx, np.int32),
        "code": np.full(len(found.seq), code, np.int8),
        "ts": np.asarray(found.ts, np.int64),
        "seq": np.asarray(found.seq, np.int64),
        "price": np.asarray(found.price_minor, np.int64),
    }
    # The refund of an order whose line was refunded before takes back no piece of it.
    some = np.asarray(found.quantity, np.int64) > 0
    return {name: column[some] for name, column in columns.items()}


def _positions(idx: Sequence[int], identities: Sequence[tuple[int, int]]) -> NDArray[np.int32]:
    """(max idx + 1,) position of each node in the order it was read; -1 where there is none."""
    table = np.full(max(idx, default=-1) + 1, -1, np.int32)
    table[np.asarray(idx, np.int64)] = np.arange(len(idx), dtype=np.int32)
    for visitor, customer in identities:
        table[visitor] = table[customer]
    return table


def _place(table: NDArray[np.int32], idx: NDArray[np.int32]) -> NDArray[np.int32]:
    """Positions of nodes; -1 for one that came after the table was read."""
    found = np.full(len(idx), -1, np.int32)
    inside = idx < len(table)
    found[inside] = table[idx[inside]]
    return found
