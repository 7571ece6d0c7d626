"""``shopgraph recommend``: what the API would show to a person."""

from collections.abc import Mapping
from typing import Any

import click
from rich.table import Table

from workers.commands.api import local_api
from workers.commands.output import console, print_json, table


@click.command()
@click.option("--user-id", help="The shop's own id of a customer.")
@click.option("--anonymous-id", help="The tracker's id of a visitor.")
@click.option("--limit", default=10, show_default=True, help="Most items.")
@click.option("--category", help="Only items of this category.")
@click.option("--surface", help="Where the list would be shown.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer as it is.")
def recommend(
    user_id: str | None,
    anonymous_id: str | None,
    limit: int,
    category: str | None,
    surface: str | None,
    as_json: bool,
) -> None:
    """Ask the running API what to show to a person."""
    answer = local_api().get(
        "/v1/recommendations",
        user_id=user_id,
        anonymous_id=anonymous_id,
        limit=limit,
        category=category,
        surface=surface,
    )
    if as_json:
        print_json(answer)
        return
    console.print(answer_table(answer, f"For {user_id or anonymous_id or 'anybody'}"))


def answer_table(
    answer: dict[str, Any], title: str, *, titles: Mapping[str, str] | None = None
) -> Table:
    """The list with its reasons, one row per item; with titles where they are at hand."""
    columns = ["#", "item", *(["title"] if titles else []), "score", "reason"]
    rows = [
        (
            item["position"],
            item["item_id"],
            *([titles.get(item["item_id"], "")] if titles else []),
            float(item["score"]),
            reason_text(item.get("reason")),
        )
        for item in answer["items"]
    ]
    said = f"level {answer['level']}, model {answer.get('model_version') or 'none'}"
    return table(f"{title} ({said})", columns, rows)


def reason_text(reason: dict[str, Any] | None) -> str:
    """A reason as one line: its code, then its path."""
    if not reason:
        return ""
    path = " → ".join(str(step) for step in reason.get("path") or [])
    return f"{reason['code']}: {path}" if path else str(reason["code"])
