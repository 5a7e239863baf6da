import json
import subprocess
import sys
import threading
from contextlib import nullcontext

import pytest

from core.adapters import mlflow_traces
from core.adapters.langchain_advisor import LangChainAdvisor
from core.adapters.mlflow_traces import Traces
from core.agent.policy import Policy, decide
from core.errors import UnavailableError
from core.settings import ROOT, Settings
from tests.fakes.facts import drifting


def test_traces_are_off_unless_asked_for(tmp_path):
    assert mlflow_traces.of(Settings(_env_file=None, home=tmp_path)) is None


def test_until_the_server_was_reached_answers_come_untraced(tmp_path):
    settings = Settings(_env_file=None, home=tmp_path, agent_traces=True)
    book = drifting()
    answer = LangChainAdvisor(settings, traces=Traces(settings)).propose(
        book, decide(book, Policy())
    )
    assert answer.draft is not None
    assert not (tmp_path / "mlflow.db").exists()


def test_a_trace_names_the_facts_and_the_proposal(tmp_path):
    class Tags:
        def tagged(self, tags):
            self.seen = tags
            return nullcontext()

    book, tags = drifting(), Tags()
    book.recommendation = "r1"
    settings = Settings(_env_file=None, home=tmp_path)
    LangChainAdvisor(settings, traces=tags).propose(book, decide(book, Policy()))
    assert tags.seen == {
        "pilothouse.facts": book.digest(),
        "pilothouse.recommendation": "r1",
    }


def test_a_server_that_is_away_is_tried_again_behind_the_scenes(tmp_path, monkeypatch, caplog):
    traces = Traces(Settings(_env_file=None, home=tmp_path, agent_traces=True))
    begun = []

    def begin():
        begun.append(1)
        if len(begun) < 3:
            raise UnavailableError("MLflow at x does not answer")
        traces.ready.set()

    monkeypatch.setattr(traces, "begin", begin)
    monkeypatch.setattr(mlflow_traces, "RETRY_SECONDS", 0.01)
    thread = threading.Thread(target=traces.open)
    thread.start()
    thread.join(5)
    assert (traces.ready.is_set(), len(begun)) == (True, 3)
    assert "conversations are not traced: MLflow at x does not answer" in caplog.text


@pytest.mark.extras
@pytest.mark.timeout(600)
def test_conversations_are_found_by_their_facts_and_hold_no_key(tmp_path):
    """In a process of its own: tracing is switched on for a whole process."""
    away = "http://127.0.0.1:9"
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.traced", str(tmp_path), "", away],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=True,
    )
    told = json.loads(done.stdout.splitlines()[-1])
    print(told)
    assert (told["traces"], told["key"]) == (3, False)
    assert told["spans"] >= 8
    assert told["lost"]["draft"]  # while the server is away
    assert told["lost"]["seconds"] < 5
