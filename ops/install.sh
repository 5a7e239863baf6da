#!/bin/sh
# Prepare .venv with the given requirements files, by uv (seconds) or, where uv cannot be had, pip.
# usage: ops/install.sh requirements.txt [requirements-dev.txt]
set -eu
UV_VERSION=0.13.8
python=${PYTHON:-$(command -v python3.11 || command -v python3)}
"$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || {
    echo "Pilothouse needs Python 3.11; $python is $("$python" -V 2>&1). Set PYTHON=/path/to/python3.11" >&2
    exit 1
}
[ -x .venv/bin/python ] || "$python" -m venv .venv
files=""
for file in "$@"; do files="$files -r $file"; done
if .venv/bin/uv --version 2>/dev/null | grep -q "$UV_VERSION" ||
    .venv/bin/pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"; then
    # shellcheck disable=SC2086  # one word per file is meant
    .venv/bin/uv pip install --quiet --python .venv/bin/python $files
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --editable .
else
    echo "uv is not to be had; installing with pip, which takes minutes" >&2
    # shellcheck disable=SC2086
    .venv/bin/pip install --quiet --disable-pip-version-check $files
    .venv/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
fi
