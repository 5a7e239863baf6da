"""The rules, spoken through the interface of a language model: one graph with and without a key."""

from functools import cache
from typing import Any


@cache
def rules_chat_model() -> "type[Any]":
    """Return a chat model that reads the named facts and then says what it was made with."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    class RulesChatModel(BaseChatModel):
        """`tool` is the schema that it answers with, `said` the arguments."""

        tool: str
        said: dict[str, Any]
        names: list[str]

        @property
        def _llm_type(self) -> str:
            return "rules"

        def bind_tools(self, tools: Any, **_options: Any) -> "RulesChatModel":  # noqa: ANN401
            return self

        def _generate(
            self,
            messages: list[BaseMessage],
            stop: list[str] | None = None,
            run_manager: Any = None,  # noqa: ANN401
            **_options: Any,  # noqa: ANN401
        ) -> ChatResult:
            read = any(isinstance(message, ToolMessage) for message in messages)
            name, given = (self.tool, self.said) if read else ("read_facts", {"names": self.names})
            calls = [{"name": name, "args": given, "id": name, "type": "tool_call"}]
            said = AIMessage(content="", tool_calls=calls)
            return ChatResult(generations=[ChatGeneration(message=said)])

    return RulesChatModel
