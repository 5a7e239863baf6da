import pytest
from pydantic import SecretStr

from core.adapters.langchain_advisor import LangChainAdvisor
from core.agent import scenarios
from core.agent.evaluation import Rationed, evaluate
from core.settings import Settings
from tests.fakes import openai_server as server

DRIFTING = [one for one in scenarios.load("open") if one.id == "ladder-large-new-customers"]


@pytest.fixture(scope="module", autouse=True)
def _imported():
    """Pay for the heavy imports once, before any deadline runs."""
    import langchain.agents  # noqa: F401
    import langchain_openai  # noqa: F401


def evaluated(behaviour, cases):
    with server.OpenAIServer(behaviour) as openai:
        settings = Settings(
            _env_file=None,
            env="test",
            openai_api_key=SecretStr("sk-test-0123456789"),
            openai_base_url=openai.base_url,
            openai_model="scripted",
            openai_timeout_seconds=20,
            openai_input_price=1,
            openai_output_price=2,
        )
        return evaluate(Rationed(LangChainAdvisor(settings), settings), scenarios=cases)


def test_an_honest_model_is_as_exact_as_the_rules_and_its_use_is_counted():
    made = evaluated(server.honest, DRIFTING)
    told = made.to_dict()
    assert (made.reasoner, made.total.exact, made.fallbacks) == ("scripted", 1, {})
    assert told["asked"] == 1
    assert told["tokens"]["a_case"] > 0
    assert told["cost"]["a_case"] > 0


def test_a_model_that_wants_another_action_falls_back_to_the_rules_and_is_still_exact():
    release = [{"kind": "promote", "arguments": {"version": "6.6.6"}}]
    made = evaluated(server.saying(decision="promote", actions=release), DRIFTING)
    assert made.total.exact == 1
    [(why, n)] = made.fallbacks.items()
    assert ("'promote' is not allowed" in why, n) == (True, 1)


def test_where_the_rules_propose_nothing_no_model_is_asked():
    quiet = [one for one in scenarios.load("open") if one.id == "quiet-sunday"]
    assert evaluated(server.honest, quiet).to_dict()["asked"] == 0
