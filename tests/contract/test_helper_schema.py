"""docs/schema/helper-*.schema.json are what the code reads, and what a helper says fits them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from probe.model.errors import BundleError
from probe.wire.control import HelperRequest, parse_request, request_body
from probe.wire.control_schema import helper_schemas
from probe.wire.jsonschema import fact_schema
from tests.unit.wire.test_control import FACTS, answer

FOLDER = Path(__file__).parents[2] / "docs" / "schema"
REQUEST, ANSWER = "helper-request.schema.json", "helper-answer.schema.json"


def validator(name: str) -> Draft202012Validator:
    fact = Resource.from_contents(fact_schema())
    return Draft202012Validator(helper_schemas()[name], registry=Registry().with_resource(fact.id() or "", fact))


@pytest.mark.parametrize("name", helper_schemas())
def test_schema_files_are_current(name: str) -> None:
    Draft202012Validator.check_schema(helper_schemas()[name])
    assert json.loads((FOLDER / name).read_text("utf-8")) == helper_schemas()[name], (
        "run: python -m tests.tools.write_helper_schema"
    )


def test_a_request_fits() -> None:
    body = request_body(HelperRequest("https://example.org/", (("example.org", "192.0.2.1", 443),), "1"))
    assert list(validator(REQUEST).iter_errors(json.loads(body))) == []


@pytest.mark.parametrize(
    "body", [{}, {"url": ""}, {"url": "https://a.example/", "endpoints": [["a.example", "192.0.2.1"]]}]
)
def test_what_the_schema_refuses_the_code_refuses(body: object) -> None:
    assert not validator(REQUEST).is_valid(body)
    with pytest.raises(BundleError):
        parse_request(json.dumps(body).encode())


def test_every_line_of_an_answer_fits() -> None:
    for line in answer(*FACTS).splitlines():
        assert list(validator(ANSWER).iter_errors(json.loads(line))) == []
