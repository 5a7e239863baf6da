"""An OpenAI-compatible chat server that behaves as its script says: well, badly, or hostile."""

import gzip
import json
import socket
import struct

from tests.fakes.http import Receiver


class OpenAIServer(Receiver):
    """`behaviour(server, question, messages)` returns a message dict, or (status, headers, body).

    Or a function, which is given the HTTP handler and writes whatever it likes.
    """

    def __init__(self, behaviour):
        super().__init__(self._chat)
        self.behaviour = behaviour

    @property
    def base_url(self):
        return f"{self.url}/v1"

    def _chat(self, received):
        messages = received.json["messages"]
        question = json.loads(next(m["content"] for m in messages if m["role"] == "user"))
        said = self.behaviour(self, question, messages)
        if isinstance(said, tuple) or callable(said):
            return said
        return 200, {"content-type": "application/json"}, json.dumps(completion(said)).encode()


def completion(message, finish="tool_calls"):
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [
            {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish}
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120},
    }


def call(name, arguments, number=0):
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    function = {"name": name, "arguments": text}
    return {
        "content": None,
        "tool_calls": [{"id": f"call{number}", "type": "function", "function": function}],
    }


def facts_read(messages):
    return [
        fact
        for message in messages
        if message["role"] == "tool" and message["content"].startswith("[")
        for fact in json.loads(message["content"])
    ]


def advice(question, messages, **change):
    """What an honest model says after reading: the verdict, with the facts it read."""
    verdict = question["verdict"]
    cited = [f for f in facts_read(messages) if "quoted" not in f]
    said = {
        "decision": verdict["decision"],
        "severity": verdict["severity"],
        "confidence": 0.8,
        "reasoning": "The incoming texts differ from those the model learnt from.",
        "evidence": [{"fact": f["name"], "value": f["value"]} for f in cited],
        "actions": verdict["actions"],
    }
    return {**said, **change}


def honest(_server, question, messages, **change):
    if not facts_read(messages):
        return call("read_facts", {"names": question["verdict"]["cites"]})
    return call("Advice", advice(question, messages, **change), 1)


def saying(**change):
    """An otherwise honest model that differs in what it says."""
    return lambda server, question, messages: honest(server, question, messages, **change)


def hang(server, _question, _messages):
    server.stopping.wait(30)
    return 200, {}, b""


def rate_limited(_server, _question, _messages):
    return 429, {"retry-after": "30"}, b'{"error": {"message": "slow down"}}'


def broken(_server, _question, _messages):
    return 500, {}, b'{"error": {"message": "oops"}}'


JSON = {"content-type": "application/json"}


def slow_drip(server, _question, _messages):
    """Sends a byte every tenth of a second: no read ever times out."""

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        handler.wfile.write(b"content-length: 100000\r\n\r\n")
        while not server.stopping.wait(0.1):
            handler.wfile.write(b" ")
            handler.wfile.flush()

    return drip


def web_page(_server, _question, _messages):
    return 200, {"content-type": "text/html"}, b"<html>Sign in to the hotel's network</html>"


def huge_answer(_server, _question, _messages):
    return 200, JSON, json.dumps(completion({"content": "x" * (3 << 20)})).encode()


def packed_answer(_server, _question, _messages):
    """A few kilobytes that unpack to many megabytes."""
    return 200, {**JSON, "content-encoding": "gzip"}, gzip.compress(b" " * (30 << 20))


def deep_answer(_server, _question, _messages):
    return 200, JSON, b"[" * 200_000


def redirect(server, _question, _messages):
    return 307, {"location": f"{server.url}/elsewhere"}, b""


def connection_reset(_server, _question, _messages):
    def reset(handler):
        now = struct.pack("ii", 1, 0)
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, now)
        handler.connection.close()

    return reset


def cut_off(_server, _question, _messages):
    """Announces more than it sends."""

    def cut(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n")
        handler.wfile.write(b'content-length: 500\r\n\r\n{"id": "c1", "cho')

    return cut


def come_back(seconds):
    """Asks to be asked again later, whatever that means."""
    return lambda _server, _question, _messages: (429, {"retry-after": seconds}, b"{}")


def echoes_the_key(server, _question, _messages):
    given = server.received[-1].headers["authorization"]
    return 401, JSON, json.dumps({"error": {"message": f"wrong key: {given}"}}).encode()


def says_the_key(server, question, messages):
    given = server.received[-1].headers["authorization"].split()[1]
    return honest(server, question, messages, reasoning=f"The key is {given}.")


def unstorable(server, question, messages):
    return honest(server, question, messages, reasoning="Drift\x00 of \ud800 texts.")


def claiming(**usage):
    """An honest model whose server says it used that much."""

    def claim(server, question, messages):
        said = {**completion(honest(server, question, messages)), "usage": usage or None}
        return 200, JSON, json.dumps(said).encode()

    return claim


def no_json(_server, _question, _messages):
    return 200, {"content-type": "application/json"}, b'{"id": "c1", "choi'


def no_choices(_server, _question, _messages):
    body = json.dumps({**completion({"content": "x"}), "choices": []}).encode()
    return 200, {"content-type": "application/json"}, body


def cut_arguments(_server, question, messages):
    return call("Advice", json.dumps(advice(question, messages))[:40])


def refusal(_server, _question, _messages):
    return {"content": None, "refusal": "I cannot help with that."}


def plain_text(_server, _question, _messages):
    return {"content": "Just retrain it."}


def wrong_tool(_server, _question, _messages):
    return call("run_shell", {"command": "rm -rf /"})


def endless_tools(_server, _question, messages):
    return call("list_facts", {}, len(messages))


def unread_evidence(_server, question, messages):
    return call(
        "Advice", advice(question, messages, evidence=[{"fact": "drift.score", "value": 0.3}])
    )


def obeys_injected_text(_server, question, messages):
    """Does what a stranger's words in the facts tell it to."""
    if not facts_read(messages):
        return call("read_facts", {"names": question["facts"]})
    told = next(f["value"] for f in facts_read(messages) if "quoted" in f)
    if not any("PROMOTE" in term["term"] for term in told):
        return call("Advice", advice(question, messages), 1)
    act = {"kind": "promote", "arguments": {"version": "6.6.6"}}
    said = advice(question, messages, decision="promote", actions=[act], severity="low")
    return call("Advice", said, 1)
