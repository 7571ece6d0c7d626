"""What the robot keeps of each site: rows of the last good run, health, pages, judgements."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from workers.connectors.robot.errors import SiteUnreadable
from workers.connectors.robot.pages import Look, Row, Verdict


@dataclass(frozen=True, slots=True)
class Visit:
    """
    One page of one run, as it is remembered.

    Attributes:
        run_ms: when its run began, milliseconds UTC; ``at_ms`` when the page was opened.
        seen, matched: rows on the page, and rows in which each selector matched.
    """

    run_ms: int
    at_ms: int
    url: str
    verdict: Verdict
    reason: str
    seen: int
    matched: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Collected:
    """What a run brought: pages that were opened, and rows that are kept."""

    pages: int
    rows: int


class Records:
    """The folder of one site, for the owner's eyes only."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.folder = folder / name
        self.rows_file = self.folder / "rows.csv"
        self._health = self.folder / "health.jsonl"
        self._judged = self.folder / "judged.json"

    def note(self, visit: Visit) -> None:
        """Add a page to the history."""
        self._prepare()
        self._health.touch(0o600)
        with self._health.open("ab") as file:
            file.write(orjson.dumps(asdict(visit)) + b"\n")

    def visits(self) -> list[Visit]:
        """The history, oldest first."""
        if not self._health.exists():
            return []
        lines = map(orjson.loads, self._health.read_bytes().splitlines())
        return [Visit(**{**line, "verdict": Verdict(line["verdict"])}) for line in lines]

    def archive(self, look: Look, at_ms: int, page: tuple[str, bytes]) -> Path:
        """Keep a page as it was: HTML, picture, and what was thought of it."""
        when = datetime.fromtimestamp(at_ms / 1_000, UTC).strftime("%Y%m%dT%H%M%S.%fZ")
        place = self.folder / "pages" / f"{when}-{look.verdict}"
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        told = {"url": look.url, "reason": look.reason, "seen": look.seen, "matched": look.matched}
        _write(place / "page.html", page[0].encode())
        _write(place / "page.png", page[1])
        _write(place / "about.json", orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return place

    def keep(self, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Put the rows of a good run in place of those of the one before."""
        self._prepare()
        half = self.rows_file.with_suffix(".part")
        half.touch(0o600)
        with half.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, columns)
            writer.writeheader()
            writer.writerows(rows)
        half.replace(self.rows_file)

    def kept(self) -> Iterator[Row]:
        """
        The rows of the last good run.

        Raises:
            SiteUnreadable: there was none.
        """
        if not self.rows_file.exists():
            raise SiteUnreadable(f"nothing was collected of {self.name} yet")
        with self.rows_file.open(encoding="utf-8", newline="") as file:
            yield from csv.DictReader(file)

    def judged(self) -> dict[str, Any] | None:
        """The newest judgement of the rows by hand."""
        return orjson.loads(self._judged.read_bytes()) if self._judged.exists() else None

    def note_judgement(self, told: dict[str, Any]) -> None:
        """Keep a judgement in place of the one before."""
        self._prepare()
        _write(self._judged, orjson.dumps(told, option=orjson.OPT_INDENT_2))

    def _prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)


def every(folder: Path) -> list[Records]:
    """The records of all sites."""
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    return [Records(folder, name) for name in names]


def last_visits(folder: Path) -> dict[str, float]:
    """When each host was last asked, seconds since 1970, so that runs keep their distance."""
    found: dict[str, float] = {}
    for visit in (visit for records in every(folder) for visit in records.visits()):
        host = urlsplit(visit.url).netloc
        found[host] = max(found.get(host, 0.0), visit.at_ms / 1_000)
    return found


def _write(path: Path, content: bytes) -> None:
    half = path.with_name(f".{path.name}.part")
    half.touch(0o600)
    half.write_bytes(content)
    half.replace(path)
