"""What the step collect wrote: the files of a collection's folder."""

from __future__ import annotations

METADATA = "metadata.parquet"
"""A row for each image: what tasks/provenance.py lists."""

OUTCOMES = "outcomes.parquet"
"""A row for each candidate, with what became of it and why."""

ATTRIBUTION = "ATTRIBUTION.md"
"""Whom to thank for each image."""

NAMES = ["url", "final_url", "source_sha256", "sha256"]
"""Columns of the metadata by any of which an image can be named."""
