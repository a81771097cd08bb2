"""What the form of a run asks, with bounds and choices; the catalogue in params.yaml has the names."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from tasks import catalogue
from tasks.outside import providers


class Recipes:
    """Offers the recipes of params.yaml as they are when the form is made."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": sorted(catalogue.load().recipes)}


class Collections:
    """Offers the collections of params.yaml as they are when the form is made."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": sorted(catalogue.load().collections)}


class Providers:
    """Offers the files of tasks/outside/providers."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": providers.names()}


class Trackers:
    """Offers the trackers of params.yaml as they are when the form is made."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": sorted(catalogue.load().trackers)}


Collection = Annotated[str, Collections()]
Provider = Annotated[str, Providers()]
Keywords = Annotated[dict[str, list[str]], Field(min_length=2, max_length=1000)]
Wanted = Annotated[int | None, Field(ge=1, le=10_000)]
Licences = Annotated[list[catalogue.Licence], Field(min_length=1, max_length=len(get_args(catalogue.Licence)))]
Recipe = Annotated[str, Recipes()]
Tracker = Annotated[str, Trackers()]
Epochs = Annotated[int | None, Field(ge=1, le=1000)]
Trials = Annotated[int | None, Field(ge=0, le=1000)]
Seed = Annotated[int | None, Field(ge=0, le=2**32 - 1)]
Version = Annotated[int | None, Field(ge=1, le=1_000_000)]
Reason = Annotated[str, Field(min_length=3, max_length=2000)]
Person = Annotated[str, Field(min_length=2, max_length=100)]
Minutes = Annotated[int | None, Field(ge=1, le=24 * 60)]
Cause = Literal["schedule", "data", "drift", "hand"] | None
File = Annotated[str, Field(min_length=1, max_length=4096)]
Alias = Literal["champion", "challenger", "previous-champion"]
Tolerance = Annotated[float, Field(ge=0, le=1)]
