"""``shopgraph coupon-targets``: whom to give a campaign's coupons, by the API."""

from typing import Any

import click
from rich.table import Table

from workers.commands.api import local_api
from workers.commands.output import console, print_json, table


@click.command("coupon-targets")
@click.option("--campaign-id", required=True, help="The shop's id of the campaign.")
@click.option("--limit", default=20, show_default=True, help="Most people.")
@click.option("--json", "as_json", is_flag=True, help="The API's answer as it is.")
def coupon_targets(campaign_id: str, limit: int, as_json: bool) -> None:
    """Ask the running API whom to give a campaign's coupons."""
    answer = local_api().get("/v1/coupon-targets", campaign_id=campaign_id, limit=limit)
    if as_json:
        print_json(answer)
        return
    console.print(targets_table(answer, f"Campaign {campaign_id}"))


def targets_table(answer: dict[str, Any], title: str) -> Table:
    """The people in order, with the coupon and the chance that each one buys."""
    rows = [
        (
            row.get("rank"),
            row.get("user_id"),
            row.get("coupon_id"),
            row.get("chance"),
            row.get("arm"),
            _reason(row.get("reason")),
        )
        for row in answer["items"]
    ]
    columns = ("rank", "user", "coupon", "chance", "arm", "reason")
    return table(f"{title} ({answer['label']})", columns, rows)


def _reason(reason: Any) -> str:
    return str(reason.get("code", "")) if isinstance(reason, dict) else str(reason or "")
