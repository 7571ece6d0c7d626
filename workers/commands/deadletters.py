"""``shopgraph deadletters``: rows that were put aside; look at them, and send them again."""

import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import click

from workers.commands.output import console, print_json, table
from workers.intake.deadletters import DeadLetters
from workers.intake.replay import Replay
from workers.intake.settings import IntakeSettings, StreamSettings


@click.group()
def deadletters() -> None:
    """List, show and replay rows that were put aside."""


@deadletters.command(name="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(limit: int, as_json: bool) -> None:
    """The latest ones, newest first."""
    letters = DeadLetters(StreamSettings().redis_url)
    newest = letters.newest(limit)
    if as_json:
        print_json([asdict(letter) for letter in newest])
        return
    rows = [
        (one.letter_id, _when(one.at_ms), one.stage, one.reason, one.payload_hash[:12])
        for one in newest
    ]
    title = f"{len(newest)} of {letters.depth()} dead letters"
    console.print(table(title, ("id", "when", "stage", "reason", "hash"), rows))


@deadletters.command()
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """One letter as JSON; ids of people stay sealed."""
    print_json(asdict(DeadLetters(StreamSettings().redis_url).get(letter_id)))


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
