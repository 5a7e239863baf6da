"""Every fault of a model server, with the time-out that ships, on the way to a proposal."""

import time

import pytest
from pydantic import SecretStr

from core.adapters.langchain_advisor import LangChainAdvisor, load
from core.agent.investigate import investigate
from tests.adapters.test_langchain_advisor import FAULTS
from tests.fakes import openai_server as server
from tests.hostile_kit import Worlds

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
BEHAVIOURS = [server.hang, server.slow_drip, *(behaviour for behaviour, _reason in FAULTS)]
SECONDS = 10.0


@pytest.fixture(scope="module")
def worlds(tmp_path_factory):
    load()
    return Worlds(tmp_path_factory.mktemp("worlds"))


def test_every_fault_ends_in_a_recommendation_within_ten_seconds(worlds):
    slowest = 0.0
    for behaviour in BEHAVIOURS:
        worlds.lend("drift", "terms")
        with server.OpenAIServer(behaviour) as openai:
            key = SecretStr("sk-test-0123456789")
            change = {"openai_api_key": key, "openai_base_url": openai.base_url}
            asked = worlds.settings.model_copy(update=change)
            began = time.monotonic()
            row = investigate(worlds.db, asked, "spam", advisor=LangChainAdvisor(asked))
            took = time.monotonic() - began
        print(f"{took:5.1f} s  {behaviour.__name__}: {row.fallback[:90]}")
        assert (row.kind, row.state, row.reasoner) == ("retrain", "proposed", "rules")
        assert row.fallback
        assert took < SECONDS
        slowest = max(slowest, took)
    print(f"{len(BEHAVIOURS)} faults, the slowest {slowest:.1f} s")
