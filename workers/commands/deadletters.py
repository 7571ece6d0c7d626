"""``shopgraph deadletters``: rows that were put aside; look at them, and send them again."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

import click

from workers.commands.output import console, print_json, table
from workers.intake.deadletters import DeadLetters
from workers.intake.replay import Replay
from workers.intake.settings import IntakeSettings, StreamSettings


@click.group()
def deadletters() -> None:
    """List, count, show, mend and replay rows that were put aside."""


@deadletters.command(name="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--reason", help="Only those with this code.")
@click.option("--before", help="Only those older than the letter of this id.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(limit: int, reason: str | None, before: str | None, as_json: bool) -> None:
    """The latest ones, newest first."""
    letters = DeadLetters(StreamSettings().redis_url)
    newest = letters.newest(limit, before=before, reason=reason)
    if as_json:
        print_json([asdict(letter) for letter in newest])
        return
    rows = [
        (
            one.letter_id, _when(one.at_ms), one.stage, one.reason, one.payload_hash[:12],
            one.is_edited,
        )
        for one in newest
    ]  # fmt: skip
    title = f"{len(newest)} of {letters.depth()} dead letters"
    console.print(table(title, ("id", "when", "stage", "reason", "hash", "mended"), rows))


@deadletters.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def count(as_json: bool) -> None:
    """How many there are of each reason, and how many made room for newer ones."""
    letters = DeadLetters(StreamSettings().redis_url)
    by_reason, dropped = letters.counts(), letters.dropped()
    if as_json:
        print_json({"by_reason": by_reason, "dropped": dropped})
        return
    rows = sorted(by_reason.items(), key=lambda pair: (-pair[1], pair[0]))
    title = f"{sum(by_reason.values())} dead letters; {dropped} made room for newer ones"
    console.print(table(title, ("reason", "letters"), rows))


@deadletters.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """One letter as JSON; ids of people stay sealed."""
    print_json(asdict(DeadLetters(StreamSettings().redis_url).get(letter_id)))


@deadletters.command()
@click.argument("letter_id")
@click.argument("payload", type=click.File("r", encoding="utf-8"), default="-")
def edit(letter_id: str, payload: TextIO) -> None:
    """
    Put a mended row in place of a letter's own; replay it afterwards.

    PAYLOAD is a file with one JSON object, or "-" for standard input. Ids of people in it are
    sealed when it is kept.
    """
    settings = IntakeSettings()
    letters = DeadLetters(settings.redis_url, pseudonyms=settings.pseudonyms())
    try:
        mended = letters.save(letter_id, payload.read())
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    print_json(asdict(mended))


@deadletters.command()
@click.argument("letter_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every letter there is.")
@click.option(
    "--edited",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="JSON file with the mended payload of the one letter that is named.",
)
def replay(letter_ids: tuple[str, ...], everything: bool, edited: Path | None) -> None:
    """Send letters through the door again; those that are taken leave the list."""
    if everything == bool(letter_ids) or (edited is not None and len(letter_ids) != 1):
        raise click.UsageError("name letters, or --all; --edited goes with exactly one letter")
    settings = IntakeSettings()
    run = Replay(settings.redis_url, settings.pseudonyms())
    letters = DeadLetters(settings.redis_url)
    chosen = letters.every() if everything else map(letters.get, letter_ids)
    payload = None if edited is None else edited.read_text(encoding="utf-8")
    now_ms = time.time_ns() // 1_000_000
    outcomes = [run.send(letter, now_ms=now_ms, payload=payload) for letter in list(chosen)]
    taken = sum(outcome.is_taken for outcome in outcomes)
    console.print(f"{taken} of {len(outcomes)} went to the stream.")
    for outcome in outcomes:
        if not outcome.is_taken:
            console.print(f"  {outcome.letter_id}: {outcome.reason}")
    if taken < len(outcomes):
        raise SystemExit(1)


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="seconds")
