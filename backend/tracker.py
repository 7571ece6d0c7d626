"""The browser tracker as files that any shop page may load."""

from collections.abc import Callable
from pathlib import Path

from flask import Flask, Response, send_from_directory

FOLDER = Path(__file__).parent / "static"
_FILES = {"tracker.js": "text/javascript", "tracker.d.ts": "text/plain"}
_FRESH_S = 3600


def init_app(app: Flask) -> None:
    """Serve the script and its types; they hold nothing of the shop, so no key is asked for."""
    for name, kind in _FILES.items():
        app.add_url_rule(f"/{name}", name.replace(".", "_"), _sender(name, kind))


def _sender(name: str, kind: str) -> Callable[[], Response]:
    def send() -> Response:
        response = send_from_directory(FOLDER, name, mimetype=kind, max_age=_FRESH_S)
        # A module of another origin is loaded only where it says that it may be.
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    return send
