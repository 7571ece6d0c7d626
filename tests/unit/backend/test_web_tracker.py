"""The tracker as pages fetch it: small, packed, cached, from any origin."""

import gzip
import re
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend import tracker

STATIC = Path(tracker.__file__).parent / "static"


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    app.register_blueprint(tracker.bp)
    return app.test_client()


def test_the_tracker_has_at_most_6_kb_packed() -> None:
    assert len(gzip.compress((STATIC / "tracker.js").read_bytes(), 9)) <= 6 * 1024


def test_the_tracker_needs_no_other_script() -> None:
    source = (STATIC / "tracker.js").read_text()

    assert not re.search(r"^\s*import\s|\bimport\(|\brequire\(", source, re.MULTILINE)


def test_every_call_of_the_types_is_in_the_tracker() -> None:
    types, source = ((STATIC / f"tracker.{end}").read_text() for end in ("d.ts", "js"))
    declared = types.split("export interface Tracker {")[1].split("\n}")[0]
    made = source.split("const tracker = {")[1].split("\n  };")[0]

    assert set(re.findall(r"^  (\w+)\(", declared, re.MULTILINE)) == set(
        re.findall(r"^    (\w+):", made, re.MULTILINE)
    )


def test_every_option_of_the_types_has_its_default_in_the_tracker() -> None:
    types, source = ((STATIC / f"tracker.{end}").read_text() for end in ("d.ts", "js"))
    declared = types.split("export interface Options {")[1].split("\n}")[0]
    taken = source.split("const {")[1].split("} = options")[0]

    assert set(re.findall(r"^  (\w+)\??:", declared, re.MULTILINE)) == {
        "consent",  # looked at last, when the rest is there
        *re.findall(r"^    (\w+)(?: =|,)", taken, re.MULTILINE),
    }


def test_any_page_may_load_it_as_a_module(client: FlaskClient) -> None:
    answer = client.get("/tracker.js", headers={"Origin": "https://shop.example"})

    assert answer.status_code == 200
    assert answer.mimetype == "text/javascript"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "max-age=" in answer.headers["Cache-Control"]
    assert answer.data == (STATIC / "tracker.js").read_bytes()


def test_it_comes_packed_where_that_is_accepted(client: FlaskClient) -> None:
    answer = client.get("/tracker.js", headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.data) == (STATIC / "tracker.js").read_bytes()


def test_it_is_not_sent_again_to_who_has_it(client: FlaskClient) -> None:
    etag = client.get("/tracker.js").headers["ETag"]

    again = client.get("/tracker.js", headers={"If-None-Match": etag})

    assert (again.status_code, again.data) == (304, b"")


def test_the_two_forms_have_two_tags(client: FlaskClient) -> None:
    plain = client.get("/tracker.js").headers["ETag"]
    packed = client.get("/tracker.js", headers={"Accept-Encoding": "gzip"}).headers["ETag"]

    assert plain != packed


def test_its_types_are_served_beside_it(client: FlaskClient) -> None:
    assert b"export interface Tracker" in client.get("/tracker.d.ts").data
