"""MovieLens 100K: the ratings in order, and the two ways in which others cut them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ml.evaluation.ranking import Cases
from ml.ranking.sequences import Sequences

FILE = Path("movielens_100k") / "ml-100k.inter.csv.gz"


@dataclass(frozen=True, slots=True)
class Ratings:
    """
    R ratings by person and time, ties in the order of the file.

    Shapes:
        user, item: (R,) int64 from 0 up; rating: (R,) int8, 1-5; ts: (R,) int64, ms UTC
    """

    user: NDArray[np.int64]
    item: NDArray[np.int64]
    rating: NDArray[np.int8]
    ts: NDArray[np.int64]
    n_users: int
    n_items: int

    def take(self, mask: NDArray[np.bool_]) -> "Ratings":
        """Some of them; people and films keep their numbers."""
        return Ratings(
            self.user[mask],
            self.item[mask],
            self.rating[mask],
            self.ts[mask],
            self.n_users,
            self.n_items,
        )

    @property
    def place(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(R,) how many of the person's ratings come before, and how many there are in all."""
        count = np.bincount(self.user, minlength=self.n_users)
        begin = np.append(0, np.cumsum(count))
        return np.arange(len(self.user)) - begin[self.user], count[self.user]

    def sequences(self) -> Sequences:
        """One per person, the rating as code."""
        count = np.bincount(self.user, minlength=self.n_users)
        return Sequences(
            item=self.item.astype(np.int32),
            start=np.append(0, np.cumsum(count)).astype(np.int64),
            n_items=self.n_items,
            code=self.rating,
            ts=self.ts,
        )

    def right(self, at_least: int) -> NDArray[np.bool_]:
        """(users, items) whether it is here with such a rating."""
        found = np.zeros((self.n_users, self.n_items), bool)
        keep = self.rating >= at_least
        found[self.user[keep], self.item[keep]] = True
        return found


def read(folder: Path) -> Ratings:
    """All ratings of the file; its columns are named as RecBole names them."""
    table = pd.read_csv(folder / FILE)
    user, item, rating, seconds = (table[name].to_numpy() for name in table.columns[:4])
    users, user = np.unique(user, return_inverse=True)
    items, item = np.unique(item, return_inverse=True)
    order = np.lexsort((np.arange(len(user)), seconds, user))
    return Ratings(
        user=user[order],
        item=item[order],
        rating=rating[order].astype(np.int8),
        ts=(seconds[order] * 1000).astype(np.int64),
        n_users=len(users),
        n_items=len(items),
    )


def last_tenth(ratings: Ratings) -> tuple[Ratings, Ratings]:
    """(earlier, latest): the last tenth of each person, rounded up, is the latest."""
    place, count = ratings.place
    is_latest = place >= count - np.ceil(count / 10)
    return ratings.take(~is_latest), ratings.take(is_latest)


def eight_one_one(ratings: Ratings, seed: int) -> tuple[Ratings, Ratings, Ratings]:
    """(train, valid, test) at random within each person; a tenth is rounded down."""
    rng = np.random.default_rng(seed)
    order = np.lexsort((rng.random(len(ratings.user)), ratings.user))
    place, count = ratings.place
    drawn = np.empty(len(order), np.int64)
    drawn[order] = place
    tenth = count // 10
    is_test = drawn >= count - tenth
    is_valid = ~is_test & (drawn >= count - 2 * tenth)
    return ratings.take(~is_test & ~is_valid), ratings.take(is_valid), ratings.take(is_test)


def both(first: Ratings, second: Ratings) -> Ratings:
    """The ratings of both, by person and time."""
    user = np.concatenate([first.user, second.user])
    ts = np.concatenate([first.ts, second.ts])
    order = np.lexsort((ts, user))
    return Ratings(
        user=user[order],
        item=np.concatenate([first.item, second.item])[order],
        rating=np.concatenate([first.rating, second.rating])[order],
        ts=ts[order],
        n_users=first.n_users,
        n_items=first.n_items,
    )


def questions(known: Ratings, gone: Ratings, asked: Ratings, at_least: int) -> Cases:
    """One case per person, also of those with nothing to find."""
    keep = asked.rating >= at_least
    count = np.bincount(asked.user[keep], minlength=asked.n_users)
    return Cases(
        prefixes=known.sequences(),
        target=asked.item[keep].astype(np.int32),
        target_start=np.append(0, np.cumsum(count)).astype(np.int64),
        owner=np.arange(asked.n_users),
        seen=gone.sequences(),
    )


def joined(parts: Sequence[Cases]) -> Cases:
    """Cases of several splits as one; a person's cases keep one owner."""
    return Cases(
        prefixes=_joined([one.prefixes for one in parts]),
        target=np.concatenate([one.target for one in parts]),
        target_start=_starts([np.diff(one.target_start) for one in parts]),
        owner=np.concatenate([one.owner for one in parts]),
        seen=_joined([one.seen for one in parts if one.seen is not None]),
    )


def _joined(parts: Sequence[Sequences]) -> Sequences:
    return Sequences(
        item=np.concatenate([one.item for one in parts]),
        start=_starts([one.lengths for one in parts]),
        n_items=parts[0].n_items,
    )


def _starts(lengths: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    return np.append(0, np.cumsum(np.concatenate(lengths))).astype(np.int64)
