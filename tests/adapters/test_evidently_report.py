import socket

import numpy as np
import pandas as pd
import pytest

from core.adapters import evidently_report
from core.datasets import generator
from core.errors import InvalidInputError


@pytest.fixture
def no_network(monkeypatch):
    """Refuse to connect anywhere."""

    def refuse(*_args, **_more):
        raise AssertionError("a report reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def texts(messages):
    return pd.DataFrame({"text": [message.text for message in messages]})


def test_texts_become_a_report_over_their_traits_without_a_network(tmp_path, no_network):
    reference = texts(generator.messages(200, seed=1))
    current = texts(generator.drifted(200, seed=2, campaign="crypto", share=0.4))

    path = evidently_report.render(
        reference, current, text_column="text", path=tmp_path / "reports" / "drift.html"
    )

    html = path.read_text()
    assert all(f"{trait}" in html for trait in ("capital_share", "links", "exclamations"))
    assert [file.name for file in path.parent.iterdir()] == ["drift.html"]


def test_a_report_may_load_nothing_from_elsewhere(tmp_path, no_network):
    rng = np.random.default_rng(1)
    reference = pd.DataFrame({"age": rng.normal(50, 9, 80), "sex": rng.choice(["f", "m"], 80)})
    current = pd.DataFrame({"age": ["61", None] * 30, "sex": ["f", None] * 30})

    path = evidently_report.render(
        reference, current, text_column=None, path=tmp_path / "drift.html"
    )

    head = path.read_text().split("</head>")[0]
    assert "default-src 'none'" in head
    assert 'src="http' not in head


def test_a_report_that_fails_leaves_the_old_one_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "drift.html"
    path.write_text("the old one")
    monkeypatch.setattr(evidently_report, "_html", lambda *_frames: "half \ud800")
    frame = pd.DataFrame({"age": [1.0, 2.0]})

    with pytest.raises(UnicodeEncodeError):
        evidently_report.render(frame, frame, text_column=None, path=path)

    assert [file.name for file in tmp_path.iterdir()] == ["drift.html"]
    assert path.read_text() == "the old one"


def test_windows_that_cannot_be_compared_are_refused_in_words(tmp_path):
    frame = pd.DataFrame({"age": [1.0, 2.0]})
    for other in (frame.head(0), frame.rename(columns={"age": "height"})):
        with pytest.raises(InvalidInputError, match="a column in common"):
            evidently_report.render(frame, other, text_column=None, path=tmp_path / "x.html")
    with pytest.raises(InvalidInputError, match="no column text"):
        evidently_report.render(frame, frame, text_column="text", path=tmp_path / "x.html")


def test_what_breaks_inside_is_told_in_a_sentence(tmp_path, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by a bug")

    monkeypatch.setattr(evidently_report, "_html", broken)
    frame, path = pd.DataFrame({"age": [1.0, 2.0]}), tmp_path / "report.html"
    with pytest.raises(InvalidInputError, match="this window: ZeroDivisionError: by a bug"):
        evidently_report.render(frame, frame, text_column=None, path=path)
    assert not path.exists()
