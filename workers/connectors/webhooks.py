"""The webhooks that connector files describe."""

from functools import partial
from typing import Any

from workers.connectors.connector import Raw
from workers.connectors.errors import SourceUnreadable
from workers.connectors.registry import rest_forms
from workers.connectors.rest_form import WebhookForm, found
from workers.connectors.settings import ConnectorSettings
from workers.connectors.shapes import rows_of
from workers.intake.deliveries import Webhook


def webhooks(settings: ConnectorSettings) -> dict[str, Webhook]:
    """
    Each webhook by the name of its connector.

    Raises:
        SourceUnreadable: nothing says what signs it.
    """
    known = {}
    for form in rest_forms(settings):
        if form.webhook is None:
            continue
        secret = settings.webhook_secrets.get(form.name)
        if secret is None:
            raise SourceUnreadable(f"SHOPGRAPH_WEBHOOK_SECRETS holds nothing for {form.name}")
        key = secret.get_secret_value().encode()
        known[form.name] = Webhook(form.name, key, partial(_rows, form.webhook))
    return known


def _rows(form: WebhookForm, body: Any) -> list[Raw]:
    return [
        row
        for shape in form.lists
        for record in found(shape.records, body) or []
        for row in rows_of(shape, record)
    ]
