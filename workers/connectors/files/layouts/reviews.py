"""Stars: MovieLens, Amazon reviews, RecBole's atomic files."""

from collections.abc import Mapping
from typing import Any

from graph.domain.catalogue import Item
from graph.domain.ids import ItemId
from workers.connectors.files.layouts.layout import Event, Layout, Options, Place, Told, event
from workers.connectors.files.layouts.values import decimal, known, milliseconds, seconds
from workers.intake.times import EpochMs

LATIN = ("utf-8-sig", "iso-8859-1")
LOWEST = 1.0
"""Half a star is kept as ``value``; our stars begin at one."""


def _review(place: Place, user: str, item_id: str, stars: str, when: EpochMs) -> Event:
    said = decimal(stars, "rating")
    found = event("review", place, item_id, when, user_id=user, rating=max(said, LOWEST))
    return found | ({"value": said} if said < LOWEST else {})


def _rating(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    when = seconds(cells["timestamp"])
    return Told([_review(place, cells["user"], cells["item"], cells["rating"], when)])


def _rating_ms(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    when = milliseconds(cells["timestamp"])
    return Told([_review(place, cells["user"], cells["item"], cells["rating"], when)])


def _bought(cells: Mapping[str, str], place: Place, _: Options) -> Told:
    """Reviews whose stars were left out: whoever writes one has bought."""
    when = seconds(cells["time"])
    return Told([event("purchase", place, cells["item_id"], when, user_id=cells["user_id"])])


def _film(cells: Mapping[str, str], _: Place, __: Options) -> Told:
    kinds = cells.get("genres", "").replace("|", " ").split()
    item = Item(
        item_id=ItemId(cells["item"]),
        title=known(cells["title"]),
        categories=tuple(kinds) or None,
    )
    return Told(items=[item])


def _amazon(record: Mapping[str, Any], place: Place, _: Options) -> Told:
    """Both editions; names and texts of the reviewers stay out."""
    if "reviewerID" in record:
        when = seconds(str(record["unixReviewTime"]))
        user, item_id, stars = record["reviewerID"], record["asin"], record["overall"]
    else:
        when = milliseconds(record["timestamp"])
        user, item_id, stars = record["user_id"], record["parent_asin"], record["rating"]
    return Told([_review(place, str(user), str(item_id), str(stars), when)])


_MOVIELENS = ("user", "item", "rating", "timestamp")
_RATING_NAMES = {
    "userId": "user", "movieId": "item", "user_id": "user", "parent_asin": "item",
    "user_id:token": "user", "item_id:token": "item", "rating:float": "rating",
    "timestamp:float": "timestamp", "item_id": "item",
}  # fmt: skip
_FILM_NAMES = {
    "movieId": "item", "item_id:token": "item", "movie_title:token_seq": "title",
    "class:token_seq": "genres",
}  # fmt: skip

LAYOUTS = (
    Layout(
        name="movielens",
        title="MovieLens ratings of all editions, RecBole's .inter files",
        read=_rating,
        columns=_MOVIELENS,
        places=_MOVIELENS,
        names=_RATING_NAMES,
        delimiter="auto",
        encodings=LATIN,
    ),
    Layout(
        name="movielens-movies",
        title="MovieLens films of 1M and later, RecBole's .item files",
        read=_film,
        columns=("item", "title", "genres"),
        places=("item", "title", "genres"),
        names=_FILM_NAMES,
        delimiter="auto",
        encodings=LATIN,
    ),
    Layout(
        name="amazon-ratings-2014",
        title="Amazon ratings of 2014: user, item, stars, seconds; no heading",
        read=_rating,
        columns=_MOVIELENS,
        places=_MOVIELENS,
    ),
    Layout(
        name="amazon-ratings-2018",
        title="Amazon ratings of 2018: item, user, stars, seconds; no heading",
        read=_rating,
        columns=_MOVIELENS,
        places=("item", "user", "rating", "timestamp"),
    ),
    Layout(
        name="amazon-ratings-2023",
        title="Amazon ratings of 2023: with a heading, milliseconds",
        read=_rating_ms,
        columns=_MOVIELENS,
        names=_RATING_NAMES,
    ),
    Layout(
        name="amazon-reviews",
        title="Amazon reviews of 2014, 2018 and 2023, one JSON object a line",
        read=_amazon,
        form="json",
    ),
    Layout(
        name="rechorus",
        title="reviews as ReChorus prepares them: user_id, item_id, time; taken as purchases",
        read=_bought,
        columns=("user_id", "item_id", "time"),
        delimiter="auto",
    ),
)
