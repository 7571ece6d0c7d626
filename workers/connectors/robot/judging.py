"""How often the robot read what a person reads: collected rows beside a hand-labelled sample."""

import csv
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workers.connectors.robot.errors import SiteUnreadable
from workers.connectors.robot.pages import Row
from workers.connectors.robot.site import KEY, ROW, URL

SITE = "site"
_Z = 1.959963984540054
"""Of a two-sided interval of 95 %."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    """
    How often one field was right.

    Attributes:
        n: labelled rows; ``right``: of them, those in which the robot said the same.
    """

    field: str
    n: int
    right: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.right / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """
        Bounds of the true share at 95 %.

        Source:
            Wilson, Probable inference, 1927, eq. 9.
        """
        n, z2 = self.n, _Z * _Z
        middle = (self.share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(self.share * (1 - self.share) / n + z2 / (4 * n * n))
        return middle - half, middle + half


@dataclass(frozen=True, slots=True)
class Judgement:
    """
    What a sample says of a site.

    Attributes:
        missing: labelled rows that the robot did not bring.
        extra: rows of the labelled pages that nobody labelled.
    """

    site: str
    labelled: int
    missing: int
    extra: int
    fields: tuple[Accuracy, ...]


def read_sample(path: Path) -> dict[str, list[Row]]:
    """
    The labelled rows by site.

    The columns are ``site``, ``url``, ``row`` (its place on the page, from 1), and the fields as a
    person reads them on the page.

    Raises:
        SiteUnreadable: the file has not these columns, or no rows.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns, rows = set(reader.fieldnames or ()), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SiteUnreadable(f"{path} cannot be read") from error
    if missing := {SITE, URL, ROW} - columns:
        raise SiteUnreadable(f"{path} lacks the columns {', '.join(sorted(missing))}")
    if not rows or columns <= {SITE, URL, ROW, KEY}:
        raise SiteUnreadable(f"{path} has no labelled field")
    if any(None in row or None in row.values() for row in rows):
        raise SiteUnreadable(f"{path} has a row with another number of cells than its heading")
    by_site = defaultdict[str, list[Row]](list)
    for row in rows:
        by_site[row.pop(SITE)].append(row)
    return dict(by_site)


def judge(site: str, labelled: Sequence[Row], collected: Sequence[Row]) -> Judgement:
    """
    Compare a sample with what was collected; a row that is missing is wrong in every field.

    Raises:
        SiteUnreadable: the sample has a field that the site has not.
    """
    found = {(row[URL], row[ROW]): row for row in collected}
    names = [name for name in labelled[0] if name not in (URL, ROW, KEY)]
    known = set(collected[0]) if collected else set(names)
    if strange := sorted(set(names) - known):
        raise SiteUnreadable(f"{site} has no field {', '.join(strange)}")
    places = {(row[URL], row[ROW]) for row in labelled}
    pages = {row[URL] for row in labelled}
    return Judgement(
        site,
        labelled=len(labelled),
        missing=len(places - found.keys()),
        extra=sum(url in pages and (url, row) not in places for url, row in found),
        fields=tuple(
            Accuracy(name, len(labelled), sum(_agrees(row, found, name) for row in labelled))
            for name in names
        ),
    )


def _agrees(row: Row, found: Mapping[tuple[str, str], Row], name: str) -> bool:
    other = found.get((row[URL], row[ROW]))
    return other is not None and " ".join(row[name].split()) == other[name]
