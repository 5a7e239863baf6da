"""A chat model in this process that behaves as its script says; see `openai_server`."""

import json
from functools import cache


@cache
def _class():
    from typing import Any

    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, convert_to_openai_messages
    from langchain_core.outputs import ChatGeneration, ChatResult

    class ScriptedChat(BaseChatModel):
        behaviour: Any

        @property
        def _llm_type(self):
            return "scripted"

        def bind_tools(self, tools, **_options):
            return self

        def _generate(self, messages, stop=None, run_manager=None, **_options):
            plain = convert_to_openai_messages(messages)
            question = json.loads(next(m["content"] for m in plain if m["role"] == "user"))
            said = self.behaviour(None, question, plain)
            calls = [
                {
                    "name": one["function"]["name"],
                    "args": json.loads(one["function"]["arguments"]),
                    "id": one["id"],
                    "type": "tool_call",
                }
                for one in said.get("tool_calls", ())
            ]
            message = AIMessage(content=said.get("content") or "", tool_calls=calls)
            return ChatResult(generations=[ChatGeneration(message=message)])

    return ScriptedChat


def scripted(behaviour):
    """Return what `LangChainAdvisor(chat=...)` takes."""
    return lambda: _class()(behaviour=behaviour)
