"""dvc.yaml: a stage depends on every module that it imports, else an edit leaves a stale result."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from tasks import catalogue, places

ROOMS = ("models", "tasks")
DECLARED = yaml.safe_load((places.ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def module_file(name: str, root: Path) -> Path | None:
    """The file of a module of this project, if there is one."""
    path = root / name.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def imports(file: Path, root: Path) -> list[Path]:
    """Files of this project that `file` imports, at its top or inside a function; types alone do not count."""
    imported: list[Path] = []
    for node in ast.walk(without_type_checking(ast.parse(file.read_text(encoding="utf-8")))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        known = [name for name in names if name.split(".")[0] in ROOMS]
        imported += filter(None, (module_file(name, root) for name in known))
    return imported


def without_type_checking(tree: ast.Module) -> ast.Module:
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING")
    ]
    return tree


def closure(file: Path, root: Path) -> set[str]:
    """`file` and all that it imports, however far, as paths from `root`."""
    seen, waiting = set(), [file]
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting.extend(imports(one, root))
    return {path.relative_to(root).as_posix() for path in seen}


def fill(text: str, name: str, item: dict[str, object]) -> str:
    filled = text.replace("${key}", name)
    for key, value in item.items():
        filled = filled.replace(f"${{item.{key}}}", str(value))
    return filled


def stages() -> Iterator[tuple[str, str, list[str], list[str]]]:
    """Every stage of every name: step, name, modules that it starts from, declared deps."""
    raw = yaml.safe_load(places.PARAMS.read_text(encoding="utf-8"))
    kinds = {"ingest": "sources", "validate": "datasets", "prepare": "datasets", "base": "bases", "lesson": "lessons"}
    kinds |= {"search": "collections", "collect": "collections", "track": "trackers"}
    rooms = {"ingest": "sources", "base": "bases", "lesson": "lessons"}
    for step, stage in DECLARED.items():
        for name, item in raw[kinds.get(step, "recipes")].items():
            chosen = [f"models/{item['model']}.py"] if "model" in item else []
            if item.get("detector") in raw["recipes"]:
                chosen.append(f"models/{raw['recipes'][item['detector']]['model']}.py")
            if step in rooms:
                chosen.append(f"tasks/{rooms[step]}/{item.get('reader', name)}.py")
            if step == "search":
                chosen.append(f"tasks/outside/providers/{item['provider']}.py")
            if step in ("evaluate", "explain"):
                chosen.append(f"tasks/problems/{raw['datasets'][item['dataset']]['problem']}.py")
            yield step, name, [f"tasks/{step}.py", *chosen], [fill(dep, name, item) for dep in stage["do"]["deps"]]


@pytest.mark.parametrize(("step", "name", "starts", "deps"), list(stages()))
def test_deps_cover_imports(step: str, name: str, starts: list[str], deps: list[str]) -> None:
    used = set().union(*(closure(places.ROOT / start, places.ROOT) for start in starts))
    empty = {"tasks/__init__.py", "tasks/outside/__init__.py"}  # hold a docstring and no code
    missing = {one for one in used - empty if not any(one == dep or one.startswith(f"{dep}/") for dep in deps)}
    assert missing == set(), f"dvc.yaml, {step}@{name}: deps must have what is imported"


@pytest.mark.parametrize("empty", ["tasks/__init__.py", "tasks/outside/__init__.py"])
def test_files_that_no_stage_depends_on_have_no_code(empty: str) -> None:
    body = ast.parse((places.ROOT / empty).read_text(encoding="utf-8")).body
    assert all(isinstance(node, (ast.Expr, ast.ImportFrom)) for node in body)


@pytest.mark.parametrize(("step", "name", "starts", "deps"), list(stages()))
def test_deps_are_used(step: str, name: str, starts: list[str], deps: list[str]) -> None:
    used = set().union(*(closure(places.ROOT / start, places.ROOT) for start in starts))
    code = [dep for dep in deps if dep.startswith(ROOMS)]
    idle = [dep for dep in code if not any(one == dep or one.startswith(f"{dep}/") for one in used)]
    assert idle == [], f"dvc.yaml, {step}@{name}: deps that are not imported only cause needless runs"


def test_the_closure_sees_an_import_inside_a_function(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "a.py").write_text("def f():\n    from tasks import b\n")
    (tmp_path / "tasks" / "b.py").write_text("")
    assert closure(tmp_path / "tasks" / "a.py", tmp_path) == {"tasks/a.py", "tasks/b.py"}


def test_every_name_of_the_catalogue_has_its_stages() -> None:
    known = catalogue.load()
    each = {"sources": 1, "collections": 2, "datasets": 2, "bases": 1, "recipes": 4, "lessons": 1, "trackers": 1}
    assert len(list(stages())) == sum(times * len(getattr(known, kind)) for kind, times in each.items())
