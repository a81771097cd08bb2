"""Every form that people fill in, against the schema that the Prefect UI makes it of."""

from __future__ import annotations

from typing import Any

import pytest
from prefect.utilities.callables import parameter_schema

from flows import checks, deployments
from flows.promote import Decision
from tasks import catalogue

ENTRIES = {entry["name"]: entry for entry in deployments.declared()["deployments"]}
MOST = 2**32 - 1


def schema(name: str) -> dict[str, Any]:
    entry = ENTRIES[name]
    return dict(parameter_schema(checks.flow_of(entry["entrypoint"], name).fn).model_dump())


def fields() -> list[tuple[str, str, dict[str, Any]]]:
    """Deployment, field and schema of every field, the form of an approval among them."""
    found = [(name, field, what) for name in ENTRIES for field, what in schema(name)["properties"].items()]
    return found + [("approval", field, what) for field, what in Decision.model_json_schema()["properties"].items()]


def kinds(what: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in what.get("anyOf", [what]) if one.get("type") != "null"]


@pytest.mark.parametrize(("name", "field", "what"), fields(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_field_explains_itself_and_has_bounds(name: str, field: str, what: dict[str, Any]) -> None:
    assert what.get("description"), "people must be told what it is"
    assert "const" not in what, "the UI shows no list for a single choice"
    (kind,) = kinds(what)
    if kind["type"] in ("integer", "number"):
        assert 0 <= kind["minimum"] < kind["maximum"] <= MOST, f"{name}.{field} must have bounds"
    elif kind["type"] == "string" and "enum" not in kind:
        assert 0 < kind["minLength"] < kind["maxLength"], f"{name}.{field} must have bounds"
    elif kind["type"] in ("array", "object"):
        what_is_in_it = {"array": "Items", "object": "Properties"}[kind["type"]]
        assert 0 < kind[f"min{what_is_in_it}"] < kind[f"max{what_is_in_it}"], f"{name}.{field} must have bounds"
    else:
        assert kind["type"] == "boolean" or kind["enum"]


def test_collections_and_providers_are_chosen_from_a_list() -> None:
    asked = schema("scrape")["properties"]
    assert asked["collection"]["enum"] == sorted(catalogue.load().collections)
    (provider,) = kinds(asked["provider"])
    assert {"openverse", "commons", "addresses", "folder"} <= set(provider["enum"])
    assert "bing" not in provider["enum"]


def test_trackers_are_chosen_from_a_list() -> None:
    assert schema("track")["properties"]["tracker"]["enum"] == sorted(catalogue.load().trackers)


@pytest.mark.parametrize(("name", "field"), [("retrain", "recipe"), ("promote", "model"), ("rollback", "model")])
def test_recipes_are_chosen_from_a_list(name: str, field: str) -> None:
    assert schema(name)["properties"][field]["enum"] == sorted(catalogue.load().recipes)


def test_what_must_be_given_has_no_default() -> None:
    assert schema("rollback")["required"] == ["model", "reason", "name"]
    assert Decision.model_json_schema()["required"] == ["decision", "name", "reason"]
    assert schema("reconcile")["properties"] == {}


@pytest.mark.parametrize("name", list(ENTRIES))
def test_a_deployment_checks_its_parameters_and_says_what_it_is_for(name: str) -> None:
    assert ENTRIES[name]["enforce_parameter_schema"] is True
    assert len(ENTRIES[name]["description"]) > 30
    positions = [what["position"] for what in schema(name)["properties"].values()]
    assert positions == sorted(positions)
