"""A process that holds one traced conversation and prints what the tracking server then knows."""

import json
import sys
import time
from pathlib import Path

from pydantic import SecretStr

from core.adapters.langchain_advisor import LangChainAdvisor
from core.adapters.mlflow_traces import EXPERIMENT, Traces
from core.agent.policy import Policy, decide
from core.settings import Settings
from tests.fakes import openai_server as server
from tests.fakes.facts import drifting

KEY = "sk-traced-0123456789"


def main(home, uri):
    settings = Settings(
        _env_file=None,
        home=Path(home),
        mlflow_tracking_uri=uri,
        agent_traces=True,
        openai_api_key=SecretStr(KEY),
        openai_model="scripted",
        openai_timeout_seconds=30,
    )
    traces = Traces(settings)
    traces.begin()
    book = drifting()
    verdict = decide(book, Policy())
    seconds = []
    for behaviour in (server.honest, server.says_the_key, server.echoes_the_key):
        with server.OpenAIServer(behaviour) as openai:
            asked = settings.model_copy(update={"openai_base_url": openai.base_url})
            answer = LangChainAdvisor(asked, traces=traces).propose(book, verdict)
            seconds.append(answer.seconds)
    import mlflow

    if len(sys.argv) > 3:  # the server dies: what is under way is lost, and answers go on
        mlflow.set_tracking_uri(sys.argv[3])
        with server.OpenAIServer(server.honest) as openai:
            asked = settings.model_copy(update={"openai_base_url": openai.base_url})
            began = time.monotonic()
            answer = LangChainAdvisor(asked, traces=traces).propose(book, verdict)
            lost = {"draft": answer.draft is not None, "seconds": time.monotonic() - began}
        mlflow.set_tracking_uri(uri or settings.tracking_uri)
    else:
        lost = {}
    mlflow.flush_trace_async_logging(terminate=True)
    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(EXPERIMENT).experiment_id
    tag = f"tags.`pilothouse.facts` = '{book.digest()}'"
    found = client.search_traces([experiment], filter_string=tag)
    spans = [len(one.data.spans) for one in found]
    held = any(KEY in one.to_json() for one in found)
    told = {"traces": len(found), "spans": max(spans), "key": held, "lost": lost}
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:3])
