"""The web application, put together."""

from flask import Flask
from flask_openapi3.openapi import OpenAPI

from backend import (
    audience,
    auth,
    campaigns,
    click_through,
    consent,
    coupon_targets,
    dead_letters,
    documentation,
    erasures,
    errors,
    events,
    exploration,
    health,
    intent,
    items,
    metrics,
    models,
    person_data,
    popular,
    promotions,
    quality,
    recommendations,
    similar,
    tags,
    tracing,
    tracker,
    training,
    vitals,
    webhooks,
)
from backend.bodies import MAX_BODY_BYTES
from backend.express import Express
from backend.wiring import Parts, wire

KEYED = (
    events.bp,
    items.bp,
    promotions.bp,
    recommendations.bp,
    similar.bp,
    audience.bp,
    popular.bp,
    intent.bp,
    campaigns.bp,
    coupon_targets.bp,
    training.bp,
    models.bp,
    consent.bp,
    erasures.bp,
    person_data.bp,
    tags.bp,
    click_through.bp,
    dead_letters.bp,
    quality.bp,
)
"""Everything under /v1; each call says which scope it needs."""


def create_app(parts: Parts) -> Flask:
    """Put the web application together; opens no connection of its own."""
    app = OpenAPI(
        __name__,
        info=documentation.INFO,
        security_schemes=documentation.SECURITY,
        doc_ui=False,
        validation_error_model=documentation.ErrorOut,
    )
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    app.url_map.strict_slashes = False
    wire(app, parts)
    metrics.init_app(app, vitals.look)
    tracing.init_app(app)
    auth.init_app(app, parts.keys)
    errors.init_app(app)
    for blueprint in KEYED:
        app.register_api(blueprint)
    app.register_api(webhooks.bp)
    app.register_api(health.bp)
    app.register_blueprint(tracker.bp)
    documentation.init_app(app)
    exploration.init_app(app, parts.settings.browser_files)
    parts.models.on_swap = app.extensions["shopgraph_metrics"].model_serves
    app.wsgi_app = Express(app, parts.keys)  # type: ignore[method-assign]
    return app
