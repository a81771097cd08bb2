"""Great Expectations: judge tables, and write Data Docs that can be read without a network."""

from __future__ import annotations

import html
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

os.environ["GX_ANALYTICS_ENABLED"] = "false"

import great_expectations as gx
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)
from great_expectations.expectations.registry import get_expectation_impl

ROW = "row"
"""Column of every judged table that names a row to people."""

FIRST = 5
CLOCKS = re.compile(r"\d{4}-?\d\d-?\d\dT\d\d:?\d\d:?\d\d(\.\d+)?Z")
RESULT = {"result_format": "SUMMARY", "unexpected_index_column_names": [ROW], "partial_unexpected_count": FIRST}


@dataclass(frozen=True)
class Expectation:
    """What must hold for a table.

    Args:
        table: its name.
        kind: Great Expectations' name of the check, such as `expect_column_values_to_be_in_set`.
        wanted: the check's arguments; `column` is among them unless the whole table is judged.
    """

    table: str
    kind: str
    wanted: dict[str, Any]


@dataclass(frozen=True)
class Verdict:
    """What Great Expectations found.

    Args:
        received: what came instead, in words; empty if the expectation holds.
        rows: the first rows that it does not hold for, by their name in the column `row`.
    """

    expectation: Expectation
    success: bool
    received: str
    rows: list[Any] = field(default_factory=list)

    def __str__(self) -> str:
        wanted = dict(self.expectation.wanted)
        column = wanted.pop("column", None)
        where = f" of column `{column}`" if column else ""
        limits = ", ".join(f"{key}={value!r}" for key, value in wanted.items())
        return f"{self.expectation.kind}{where} in table `{self.expectation.table}` ({limits}): {self.received}"


def judge(name: str, tables: dict[str, pd.DataFrame], expectations: list[Expectation], docs: Path) -> list[Verdict]:
    """Run a checkpoint for each table, and write the Data Docs of all of them to `docs`.

    Args:
        tables: by name; each has the column `row`.
    """
    context = context_with(docs)
    source = context.data_sources.add_pandas(name)
    verdicts = []
    for title, table in tables.items():
        asked = [expectation for expectation in expectations if expectation.table == title]
        batch = source.add_dataframe_asset(title).add_batch_definition_whole_dataframe("whole")
        result = checkpoint(context, name, title, batch, asked).run({"dataframe": table})
        verdicts += read_results(result, asked)
    context.build_data_docs()
    make_offline(docs, name)
    return verdicts


def context_with(docs: Path) -> Any:
    """A context that keeps all in memory but its one site of Data Docs, in `docs`."""
    store = {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)}
    index = {"class_name": "DefaultSiteIndexBuilder"}
    site = {"class_name": "SiteBuilder", "store_backend": store, "site_index_builder": index}
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"docs": site},
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    return gx.get_context(project_config=config, mode="ephemeral")


def checkpoint(context: Any, name: str, title: str, batch: Any, asked: list[Expectation]) -> Any:
    """A checkpoint over one table; each expectation remembers its number, as results come in any order."""
    suite = context.suites.add(gx.ExpectationSuite(name=f"{name}_{title}"))
    for number, expectation in enumerate(asked):
        kind = get_expectation_impl(expectation.kind)
        suite.add_expectation(kind(**expectation.wanted, meta={"number": number}))
    definition = gx.ValidationDefinition(name=f"{name}_{title}", data=batch, suite=suite)
    definition = context.validation_definitions.add(definition)
    return context.checkpoints.add(
        gx.Checkpoint(name=f"{name}_{title}", validation_definitions=[definition], result_format=RESULT)
    )


def read_results(result: Any, asked: list[Expectation]) -> list[Verdict]:
    """The checkpoint's verdicts, in the order of `asked`."""
    (run,) = result.run_results.values()
    found = sorted(run.results, key=lambda one: one.expectation_config.meta["number"])
    return [read_result(one, asked[one.expectation_config.meta["number"]]) for one in found]


def read_result(one: Any, expectation: Expectation) -> Verdict:
    if one.success:
        return Verdict(expectation, True, "")
    if error := exception(one.exception_info):
        return Verdict(expectation, False, error)
    if "element_count" not in one.result:
        return Verdict(expectation, False, f"received {one.result.get('observed_value')}")
    bad = one.result.get("partial_unexpected_index_list") or []
    column = expectation.wanted["column"]
    first = ", ".join(f"row {plain(row[ROW])}: {plain(row.get(column))}" for row in bad[:FIRST])
    count, total = one.result["unexpected_count"], one.result["element_count"]
    return Verdict(expectation, False, f"received {count} of {total} otherwise, {first}", [row[ROW] for row in bad])


def exception(info: dict[str, Any]) -> str:
    """The message of an expectation that could not be judged; the dictionary has one or two levels."""
    one = info if "raised_exception" in info else next(iter(info.values()), {})
    return str(one["exception_message"]) if one.get("raised_exception") else ""


def plain(value: Any) -> str:
    """A cell's value as people write it."""
    if isinstance(value, str):
        return repr(value[:80]) if value else "''"
    if pd.isna(value):
        return "nothing"
    return str(value) if pd.api.types.is_bool(value) else f"{float(value):.6g}"


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2430; max-width: 72rem; margin: 0 auto; padding: 1rem }
.row, .d-flex { display: flex; flex-wrap: wrap; gap: 0 1rem }
.row > * { flex: 1 1 100% } .row > .col-md-2 { flex: 0 0 13rem } .row > .col-md-10 { flex: 1 1 30rem; min-width: 0 }
table { border-collapse: collapse; width: 100% } th, td { border: 1px solid #d5dae2; padding: .3rem .7rem }
th { text-align: left } .alert, .card-header { background: #f0f3f8; padding: .5rem 1rem; border-radius: .3rem }
ul, ol { list-style: none; padding: 0 } .breadcrumb { display: flex; gap: 1rem } h5, h6 { font-size: 1rem; margin: 0 }
.badge { background: #e6ebf3; border-radius: .2rem; padding: 0 .3rem; font-family: monospace }
.text-success::before { content: "✓"; color: #2f855a; font-weight: 700 }
.text-danger::before { content: "✗"; color: #c53030; font-weight: 700 }
.code-snippet, pre { overflow: auto }
.card:has(.btn-group), .navbar-brand, footer, .modal, [id^=ge-cta] { display: none }
"""


def make_offline(docs: Path, name: str) -> None:
    """Let the site need nothing but its pages, and be the same for the same verdicts.

    Great Expectations takes styles and scripts from the internet, and writes the time and random ids into its
    pages, which DVC would take for a change. When a dataset was judged is known from the run that did it.
    """
    shutil.rmtree(docs / "static", ignore_errors=True)
    for run in docs.glob("validations/*/*/*"):
        run.rename(run.with_name("verdicts"))
    for page in docs.rglob("*.html"):
        page.write_text(offline(page.read_text(encoding="utf-8")), encoding="utf-8")
    pages = sorted(path.relative_to(docs).as_posix() for path in docs.rglob("*.html") if path.parent != docs)
    (docs / "index.html").write_text(index_page(pages, name), encoding="utf-8")


def offline(page: str) -> str:
    """`page` without scripts, without anything that a browser would fetch, and without clocks and random ids."""
    page = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r"<link\b[^>]*>", "", page, flags=re.IGNORECASE)
    page = re.sub(r"<style\b.*?</style>", "", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r"<(img|source|iframe)\b[^>]*>", "", page, flags=re.IGNORECASE)
    page = re.sub(r"""<a\b[^>]*href=["']?(https?:)?//[^>]*>(.*?)</a>""", r"\2", page, flags=re.DOTALL | re.IGNORECASE)
    page = re.sub(r"(collapse-body)-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"\1", page)
    return CLOCKS.sub("not kept", page).replace("</head>", f"<style>{STYLE}</style></head>", 1)


def index_page(pages: list[str], name: str) -> str:
    """A list of the site's pages; the original one is a table that a script fills."""
    items = "".join(f'<li><a href="{html.escape(page)}">{html.escape(page)}</a></li>' for page in pages)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Data Docs of {html.escape(name)}</title>'
        f"<style>{STYLE}</style></head><body><h1>Data Docs of {html.escape(name)}</h1><ul>{items}</ul></body></html>\n"
    )
