"""``init --from-openapi``: a REST system from a description, with what is guessed said in comments."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import treaty
from treaty.connectors.rest.source import at_path
from treaty.operations.descriptions import read_description
from treaty.project.loading import load_project

XERO = Path(__file__).parents[3] / "../shared/data/api/xero-openapi/xero_accounting.yaml"
DESCRIPTION = """
openapi: 3.1.0
info: {title: Toy Shop API, version: "1"}
servers: [{url: "https://{region}.example.com/v1", variables: {region: {default: eu}}}]
security: [{key: []}]
paths:
  /things:
    parameters: [{$ref: "#/components/parameters/tenant"}]
    get:
      summary: "All things: \\"odd\\" # text"
      parameters:
        - {in: query, name: cursor, schema: {type: string}}
        - {in: query, name: per_page, schema: {type: integer, maximum: 200}}
        - {in: query, name: updated_since, schema: {type: string}}
      responses: {200: {content: {application/json: {schema: {properties: {warnings: {type: array, items: {type: object}},
        data: {type: array, items: {$ref: "#/components/schemas/Thing"}}, meta: {properties: {next_cursor: {type: [string, "null"]}}}}}}}}}
    post:
      requestBody: {content: {application/json: {schema: {properties: {thing: {$ref: "#/components/schemas/Thing"}}}}}}
      responses: {201: {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}}
  /things/{thing}:
    get: {responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}}}
    patch: {responses: {200: {description: done}}}
  /customers:
    get:
      parameters: [{in: query, name: starting_after, schema: {type: string}}, {in: query, name: kind, required: true, schema: {enum: [all, some]}}]
      responses: {default: {content: {application/json: {schema: {properties: {data: {type: array, items: {$ref: "#/components/schemas/Thing"}}}}}}}}
  /PurchaseOrders:
    get: {parameters: [{in: query, name: pageIndex, schema: {type: integer}}], responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}}}
  /archive/things:
    get: {parameters: [{in: query, name: offset}], responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}}}
  /linked:
    get: {responses: {200: {headers: {Link: {schema: {type: string}}}, content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}}}
  /addressed:
    get: {responses: {200: {content: {application/json: {schema: {properties: {next: {type: string}, results: {type: array, items: {type: object}}}}}}}}}
  /limited:
    get: {parameters: [{in: query, name: limit}], responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}}}
  /searches:
    get: {parameters: [{in: query, name: words, required: true}], responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Orders"}}}}}}
  /me:
    get: {responses: {200: {content: {application/json: {schema: {$ref: "#/components/schemas/Thing"}}}}}}
components:
  parameters: {tenant: {in: header, name: X-Tenant, required: true, schema: {type: string}}}
  securitySchemes: {key: {type: apiKey, in: header, name: X-Key}}
  schemas:
    Orders: {type: array, items: {properties: {purchase_order_id: {type: string}, total: {type: number}}}}
    Thing: {type: object, properties: {id: {type: string}, updated_at: {type: string}, parts: {type: array, items: {$ref: "#/components/schemas/Thing"}}}}
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> treaty.InitResult:
    """A project from the description above."""
    folder = tmp_path_factory.mktemp("openapi")
    (folder / "toy.yaml").write_text(DESCRIPTION, encoding="utf-8")
    return treaty.init(folder / "shop", from_openapi=folder / "toy.yaml")


def test_the_system_is_written_and_clean(made: treaty.InitResult) -> None:
    """The file passes check; operations that are no streams are named with the reason."""
    assert made.system is not None
    assert ("toy_shop", "systems/toy_shop.yaml") == (made.system.name, made.system.file)
    assert [] == list(treaty.check(made.folder).findings)
    assert ("GET /searches: it needs the parameter 'words'", "GET /me: its answer is no list of objects, or one of several") == made.system.left_out


def test_how_it_is_reached_is_read(made: treaty.InitResult) -> None:
    """Address, scheme and required headers become the connection; secrets are references."""
    assert {
        "url": "https://eu.example.com/v1", "auth": "header", "name": "X-Key", "secret": "env:TOY_SHOP_TOKEN",
        "headers": {"X-Tenant": "env:TOY_SHOP_X_TENANT"},
    } == load_project(made.folder).systems["toy_shop"].connection  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "record", "key", "read"),
    [
        ("things", "data", ("id",), {"parameters": {"per_page": "200"}, "pages": "cursor", "next_field": "meta/next_cursor", "parameter": "cursor",
                                     "since_field": "updated_at", "since_parameter": "updated_since"}),
        ("customers", "data", ("id",), {"parameters": {"kind": "all"}, "pages": "cursor", "next_field": "data/-1/id", "parameter": "starting_after"}),
        ("purchase_orders", None, ("purchase_order_id",), {"pages": "page", "parameter": "pageIndex", "first": 0}),
        ("archive_things", None, ("purchase_order_id",), {"pages": "offset", "parameter": "offset"}),
        ("linked", None, ("purchase_order_id",), {"pages": "link"}),
        ("addressed", "results", (), {"pages": "next", "next_field": "next"}),
        ("limited", None, ("purchase_order_id",), {}),
    ],
)  # fmt: skip
def test_each_kind_of_pages_is_guessed(made: treaty.InitResult, stream: str, record: str | None, key: tuple[str, ...], read: dict[str, Any]) -> None:
    """Records, key, pages and changes follow from the names of parameters and fields."""
    found = load_project(made.folder).systems["toy_shop"].streams[stream]
    assert (record, key, read) == (found.record, found.key, {each: value for each, value in found.read.items() if each != "path"})


def test_writing_is_guessed_where_it_is_described(made: treaty.InitResult) -> None:
    """A POST beside the list and a PATCH of one record become ``write``; other streams have none."""
    streams = load_project(made.folder).systems["toy_shop"].streams
    told = {"path": "things", "update_path": "things/{id}", "update_method": "PATCH", "record": "thing", "id_field": "id"}
    assert (told, {}) == (streams["things"].write, streams["customers"].write)
    text = (made.folder / "systems/toy_shop.yaml").read_text(encoding="utf-8")
    assert "pages: cursor  # guessed: the parameter cursor, and meta/next_cursor in the answer" in text


def test_a_project_gets_one_system_more_and_none_twice(made: treaty.InitResult) -> None:
    """An existing project is added to; a system that is there stays as it is."""
    toy = made.folder.parent / "toy.yaml"
    again = treaty.init(made.folder, from_openapi=toy, system="other")
    assert again.system is not None
    assert "systems/other.yaml" == again.system.file
    with pytest.raises(treaty.UsageError, match="is there already"):
        treaty.init(made.folder, from_openapi=toy, system="other")
    (made.folder / "systems/other.yaml").unlink()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{swagger: '2.0'}", "no OpenAPI 3"), ("openapi: 3.0.0\npaths: {}", "no GET"), ("a: [", "cannot be read as YAML"), ("a: &x [1, *x]", "aliases"),
        ("\n".join(["a0: &a0 [1, 2]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9))]), "more than 2,000,000 values"),
        (json.dumps({"openapi": "3.0.0", "paths": {"/a": {"get": {"parameters": 1, "responses": [1]}}, "/b": 2}}), "no GET"),
    ],
)  # fmt: skip
def test_what_is_no_description_makes_nothing(tmp_path: Path, text: str, told: str) -> None:
    """Bad descriptions are refused with the reason, before anything is written."""
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(treaty.UsageError, match=told):
        treaty.init(tmp_path / "own", from_openapi=tmp_path / "bad.yaml")
    assert not (tmp_path / "own").exists()


def test_aliases_of_a_description_are_taken(tmp_path: Path) -> None:
    """What generators of descriptions write once and repeat by its name is read as if it were written out."""
    description = DESCRIPTION.replace("openapi:", "x-once: &once {example: [1, 2]}\nx-again: *once\nopenapi:", 1)
    (tmp_path / "toy.yaml").write_text(description, encoding="utf-8")
    assert {"example": [1, 2]} == read_description(tmp_path / "toy.yaml")["x-again"]


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    """A system's name is no path."""
    (tmp_path / "toy.yaml").write_text(DESCRIPTION, encoding="utf-8")
    with pytest.raises(treaty.UsageError, match="no name of a system"):
        treaty.init(tmp_path / "own", from_openapi=tmp_path / "toy.yaml", system="../evil")


def test_a_path_reaches_into_lists() -> None:
    """The last of a list is -1; what is not there is nothing."""
    assert ("b", None) == (at_path({"data": [{"id": "a"}, {"id": "b"}]}, "data/-1/id"), at_path({"data": []}, "data/-1/id"))


@pytest.mark.skipif(not XERO.is_file(), reason="the shared data is not here")
def test_a_public_description_gives_a_clean_system(tmp_path: Path) -> None:
    """The accounting API of Xero gives more than twenty streams, and no finding."""
    made = treaty.init(tmp_path / "own", from_openapi=XERO, system="xero")
    assert made.system is not None
    assert len(made.system.streams) > 20
    assert [] == list(treaty.check(made.folder).findings)
    found = load_project(made.folder).systems["xero"].streams["contacts"]
    assert ("Contacts", ("ContactID",), "page") == (found.record, found.key, found.read["pages"])
