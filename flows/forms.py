"""What the form of a run asks, with bounds and choices; the catalogue in params.yaml has the names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from tasks import catalogue


class Recipes:
    """Offers the recipes of params.yaml as they are when the form is made."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {**handler(core), "enum": sorted(catalogue.load().recipes)}


Recipe = Annotated[str, Recipes()]
Epochs = Annotated[int | None, Field(ge=1, le=1000)]
Trials = Annotated[int | None, Field(ge=0, le=1000)]
Seed = Annotated[int | None, Field(ge=0, le=2**32 - 1)]
Version = Annotated[int | None, Field(ge=1, le=1_000_000)]
Reason = Annotated[str, Field(min_length=3, max_length=2000)]
Person = Annotated[str, Field(min_length=2, max_length=100)]
