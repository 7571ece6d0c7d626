"""Whatever our own document allows, and what it forbids, the API answers without breaking."""

import os
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from tests.factories import ADMIN

EXAMPLES = int(os.environ.get("EXAMPLES", "50"))


def test_no_call_that_the_document_describes_breaks_the_api(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    """No 5xx, and no status that the document does not name, for any operation."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    calls: dict[str, int] = {}
    broken: list[str] = []
    for found in schema.get_all_operations():
        operation = found.ok()
        name = f"{operation.method.upper()} {operation.path}"
        documented = {str(status) for status in operation.definition.raw["responses"]}
        calls[name] = _try(operation, documented, broken)
    with capsys.disabled():
        print(f"\n{sum(calls.values()):,} requests to {len(calls)} calls of the API")  # noqa: T201
    assert broken == [], "\n".join(broken)
    assert calls["POST /v1/events"] >= EXAMPLES
    assert all(calls.values()), "a call without parameters has one way to be asked"


def _try(operation: Any, documented: set[str], broken: list[str]) -> int:
    """Send examples that fit the document, and ones that do not; how many."""
    sent = 0
    positive = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wanted = st.one_of(positive, operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=wanted)
    def call(case: Any) -> None:
        nonlocal sent
        sent += 1
        answer = case.call(headers=ADMIN)
        status = str(answer.status_code)
        if status[0] == "5" or status not in documented | {"404", "405", "415"}:
            broken.append(f"{case.method} {case.formatted_path} {case.query} {case.body} {status}")

    call()
    return sent
