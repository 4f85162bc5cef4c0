"""The OpenAPI document against the application: generated requests, good and bad, for each route.

No answer is a failure of the hub's own, and each is of a status, a media type and a shape that the
document says. Seeded: the same requests each time.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub.api.document import document_text
from hub.api.openapi import operation_id
from tests.hub.doors import Door

FILE = Path(__file__).parents[2] / "docs" / "openapi.json"
DOCUMENT = json.loads(document_text())
EXAMPLES = 20
OWN = ("/api/v1/phones/me", "/api/v1/wallets/me")
"""What the token of a visit or a wallet opens."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
OPERATIONS = sorted(
    (path, method) for path, methods in DOCUMENT["paths"].items() for method in methods
)
FUZZED = [(path, method) for path, method in OPERATIONS if path != "/readyz"]
"""A hub without a broker is not ready, and says so with 503."""


def test_the_document_in_docs_is_current() -> None:
    said = "write it again: sortie hub openapi --out docs/openapi.json"
    assert json.loads(FILE.read_text(encoding="utf-8")) == DOCUMENT, said
    assert document_text() == FILE.read_text(encoding="utf-8"), said


def test_the_document_is_complete_and_leaks_nothing() -> None:
    names = [DOCUMENT["paths"][path][method]["operationId"] for path, method in OPERATIONS]
    assert len(set(names)) == len(names) > 40
    for path, method in OPERATIONS:
        operation = DOCUMENT["paths"][path][method]
        assert operation["summary"], path
        assert operation["tags"][0] in [row["name"] for row in DOCUMENT["tags"]], path
        assert {"401", "422", "429", "default"} <= set(operation["responses"]), path
        assert "security" in operation, path
        if operation["security"] and "x-sortie-role" not in operation:
            alone = ("/api/v1/nodes/", "/api/v1/terminals/", *OWN)
            assert path.startswith(alone), path
        assert path.startswith(OWN) == (operation["security"] == [{"phone": []}]), path
    text = json.dumps(DOCUMENT)
    for leak in (str(FILE.parents[1]), "hub.sqlite", "site-packages", "HTTPValidationError"):
        assert leak not in text
    assert operation_id.__doc__


@pytest.mark.parametrize(("path", "method"), FUZZED)
def test_generated_requests_get_documented_answers(
    make_shop: Callable[..., Any], path: str, method: str
) -> None:
    fuzz(Door(make_shop(), staff_accounts=True), DOCUMENT, path, method)


def test_the_fuzz_notices_an_answer_of_another_shape(make_shop: Callable[..., Any]) -> None:
    wrong = copy.deepcopy(DOCUMENT)
    wrong["components"]["schemas"]["StockRow"]["required"].append("colour")
    with pytest.raises(BaseException, match="colour"):
        fuzz(Door(make_shop(), staff_accounts=True), wrong, "/api/v1/stock", "get")


def fuzz(door: Door, document: dict[str, Any], path: str, method: str) -> None:
    """Asks one route many things as an admin."""
    door.staff()
    session = door.browser("admin").cookies["sortie_staff"]
    api = schemathesis.openapi.from_dict(document)
    operation = api[path][method.upper()]
    headers = {"Authorization": f"Bearer {session}"}

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        door.now_s += 0.1
        answer = case.call(app=door.app, base_url="http://testserver", headers=headers)
        case.validate_response(answer, checks=CHECKS)

    ask()
    assert door.hub.halted is None
