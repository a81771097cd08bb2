#!/bin/sh
# Make .venv-oracle: torchvision and keras-hub, and what else the comparison with them needs, by pyproject.toml's bounds. Called by
# `make oracle`.
set -eu
cd "$(dirname "$0")/.."

[ -x .venv-oracle/bin/python ] || "$PYTHON" -m venv .venv-oracle
.venv-oracle/bin/python - > .venv-oracle/wanted.txt <<'END'
import pathlib, re, tomllib
project = tomllib.loads(pathlib.Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
known = {re.match(r"[\w-]+", one).group(): one for one in project["dependencies"] + extras["dev"]}
print(*(known[name] for name in ("keras", "numpy", "pytest")), *extras["oracle"], sep="\n")
END
.venv-oracle/bin/python -m pip install --quiet --disable-pip-version-check -r .venv-oracle/wanted.txt
touch .venv-oracle/.ready
