#!/bin/sh
# Make .venv from requirements.lock, the same versions and bytes everywhere, and the databases. Called by `make setup`.
set -eu
cd "$(dirname "$0")/.."

"$PYTHON" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || {
    echo "ERROR 5 setup: Python must be 3.11, 3.12 or 3.13. Received: $("$PYTHON" --version 2>&1 || true)." \
        "Choose another: make setup PYTHON=python3.12" >&2
    exit 5
}
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null || {
    echo "ERROR 5 setup: $PYTHON must have venv and pip. Received: neither. On Debian: apt-get install python3-venv" >&2
    exit 5
}

[ -x .venv/bin/python ] || "$PYTHON" -m venv .venv
.venv/bin/python - > .venv/uv.txt <<'END'
import pathlib, re
lock = pathlib.Path("requirements.lock").read_text(encoding="utf-8")
print(re.search(r"^uv==(?:.*\\\n)*.*", lock, re.MULTILINE).group())
END
.venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r .venv/uv.txt
.venv/bin/uv pip sync --quiet --python .venv/bin/python --require-hashes --compile-bytecode requirements.lock
./miar init
touch .venv/.ready
