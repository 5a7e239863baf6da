"""The installation, with programs in place of Python, pip and uv that note how they were called."""

import os
import subprocess

import pytest

from core.settings import ROOT

SCRIPT = ROOT / "ops" / "install.sh"
UV = '#!/bin/sh\\necho uv "$@" >> calls\\n'
PIP = f"""#!/bin/sh
echo pip "$@" >> calls
case "$*" in *uv==*) [ -n "$UV_IS_THERE" ] || exit 1; printf '{UV}' > .venv/bin/uv; chmod +x .venv/bin/uv;; esac
"""


@pytest.fixture
def install(tmp_path):
    """Install in a folder whose environment is made; returns the run and what was called."""
    program(tmp_path / ".venv/bin/pip", PIP)
    program(tmp_path / ".venv/bin/python", "#!/bin/sh\n")

    def run(**environment):
        done = subprocess.run(
            ["sh", SCRIPT, "requirements.txt", "more.txt"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **environment},
            capture_output=True,
            text=True,
        )
        calls = tmp_path / "calls"
        return done, calls.read_text().splitlines() if calls.exists() else []

    return run


def program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def test_a_pinned_uv_installs_everything(install):
    done, (first, second, third) = install(UV_IS_THERE="yes")
    assert done.returncode == 0, done.stderr
    assert first.startswith("pip install --quiet --disable-pip-version-check uv==")
    assert second.startswith("uv pip install")
    assert second.endswith("-r requirements.txt -r more.txt")
    assert third.endswith("--no-deps --editable .")


def test_where_uv_is_not_to_be_had_pip_does_it_and_it_is_said(install):
    done, calls = install()
    assert done.returncode == 0, done.stderr
    assert "installing with pip" in done.stderr
    assert [call.split()[0] for call in calls] == ["pip"] * 3
    assert calls[1].endswith("-r requirements.txt -r more.txt")


def test_another_python_is_refused_in_words(install, tmp_path):
    old = program(tmp_path / "old", '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.9.1\nexit 1\n')
    done, calls = install(PYTHON=str(old))
    assert (done.returncode, calls) == (1, [])
    assert "needs Python 3.11" in done.stderr
    assert "Python 3.9.1" in done.stderr
