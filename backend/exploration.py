"""The guide, style and queries that Neo4j Browser fetches."""

from pathlib import Path

from flask import Flask, Response, abort, request, send_from_directory


def init_app(app: Flask, folder: Path | None) -> None:
    """
    Serve the files of a folder under ``/browser``, if there is one.

    Neo4j Browser runs on another port and fetches them from there, so any origin may read them;
    they hold nothing of the shop.
    """
    if folder is None:
        return
    place = folder.resolve()

    def show(name: str) -> Response:
        if name.startswith(".") or not (place / name).is_file():
            abort(404)
        if request.method == "OPTIONS":
            return _open_to_all(Response(status=204))
        return _open_to_all(send_from_directory(place, name))

    app.add_url_rule(
        "/browser/<name>",
        "browser_file",
        show,
        methods=["GET", "OPTIONS"],
        provide_automatic_options=False,
    )


def _open_to_all(response: Response) -> Response:
    # Chromium asks beforehand when one address of this machine reads from another.
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Headers"] = "*"
    response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response
