"""What a client should never send: bodies, values of single fields, and raw conversations.

Each body and value holds MARK where it can, so that an echo is found.
"""

import json

MARK = "mArK7f3q"
GOOD = '{"message": "see you at six"}'
MIB = 1 << 20


def _nested(opening, closing, depth, core=""):
    return opening * depth + core + closing * depth


def _text(content):
    return content.encode("utf-8", "surrogatepass")


ENCODINGS = {
    "utf-16 with its mark": f'{{"message": "{MARK}"}}'.encode("utf-16"),
    "utf-16 little end first": f'{{"message": "{MARK}"}}'.encode("utf-16-le"),
    "utf-16 big end first": f'{{"message": "{MARK}"}}'.encode("utf-16-be"),
    "utf-32": f'{{"message": "{MARK}"}}'.encode("utf-32"),
    "utf-7": f'{{"message": "{MARK} äöü"}}'.encode("utf-7"),
    "latin-1": f'{{"message": "{MARK} äöü"}}'.encode("latin-1"),
    "windows-1252": f'{{"message": "{MARK} “€”"}}'.encode("cp1252"),
    "shift-jis": f'{{"message": "{MARK} 日本"}}'.encode("shift-jis"),
    "ebcdic": f'{{"message": "{MARK}"}}'.encode("cp037"),
    "byte order mark": b"\xef\xbb\xbf" + GOOD.encode(),
    "byte order mark alone": b"\xef\xbb\xbf",
    "overlong slash": b'{"message": "' + MARK.encode() + b'\xc0\xaf"}',
    "overlong nul": b'{"message": "' + MARK.encode() + b'\xc0\x80"}',
    "overlong in three bytes": b'{"message": "\xe0\x80\xaf' + MARK.encode() + b'"}',
    "lone high surrogate, raw": b'{"message": "\xed\xa0\x80' + MARK.encode() + b'"}',
    "lone low surrogate, raw": b'{"message": "\xed\xb0\x80' + MARK.encode() + b'"}',
    "surrogate pair, raw (CESU-8)": b'{"message": "\xed\xa0\xbd\xed\xb8\x80"}',
    "beyond unicode": b'{"message": "\xf4\x90\x80\x80"}',
    "five-byte sequence": b'{"message": "\xf8\x88\x80\x80\x80"}',
    "cut-off sequence": b'{"message": "\xe2\x82"}',
    "stray continuation": b'{"message": "\x80\xbf"}',
    "bytes fe ff": b"\xfe\xff",
    "all bytes": bytes(range(256)),
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + MARK.encode(),
    "zip": b"PK\x03\x04" + MARK.encode(),
    "pickle": b"\x80\x04\x95" + MARK.encode() + b".",
    "png": b"\x89PNG\r\n\x1a\n" + MARK.encode(),
}

SYNTAX = {
    "nothing": b"",
    "a space": b" ",
    "white space": b" \t\r\n" * 10,
    "much white space": b" " * 100_000,
    "white space json does not know": "\u00a0\u2003{}".encode(),
    "nul": b"\0",
    "nul behind": GOOD.encode() + b"\0",
    "nul before": b"\0" + GOOD.encode(),
    "open brace": b"{",
    "close brace": b"}",
    "open bracket": b"[",
    "a quote": b'"',
    "half a key": b'{"mess',
    "key only": f'{{"{MARK}"'.encode(),
    "key and colon": b'{"message":',
    "half a value": f'{{"message": "{MARK}'.encode(),
    "no end": f'{{"message": "{MARK}"'.encode(),
    "comma at the end": f'{{"message": "{MARK}",}}'.encode(),
    "comma alone": b"{,}",
    "no colon": f'{{"message" "{MARK}"}}'.encode(),
    "single quotes": f"{{'message': '{MARK}'}}".encode(),
    "no quotes": f"{{message: {MARK}}}".encode(),
    "comment": b'/* c */ {"message": "x"}',
    "line comment": b'{"message": "x"} // c',
    "json5 plus": b'{"message": +1}',
    "hexadecimal": b'{"features": {"age": 0x10}}',
    "octal": b'{"features": {"age": 010}}',
    "dot before": b'{"features": {"age": .5}}',
    "dot behind": b'{"features": {"age": 5.}}',
    "exponent without digits": b'{"features": {"age": 1e}}',
    "underscore": b'{"features": {"age": 1_000}}',
    "two values": GOOD.encode() * 2,
    "garbage behind": GOOD.encode() + MARK.encode(),
    "bracket behind": GOOD.encode() + b"]",
    "raw newline in a string": b'{"message": "a\nb"}',
    "raw tab in a string": b'{"message": "a\tb"}',
    "raw control character": b'{"message": "a\x01b"}',
    "unknown escape": b'{"message": "\\x41"}',
    "cut-off escape": b'{"message": "\\u12"}',
    "escape at the end": b'{"message": "\\',
    "form": f"message={MARK}&user_id=1".encode(),
    "xml": f"<message>{MARK}</message>".encode(),
    "entity bomb": b'<!DOCTYPE a [<!ENTITY b "bb">]><a>&b;</a>',
    "yaml": f"message: {MARK}".encode(),
    "yaml object": b"!!python/object/apply:os.system ['true']",
    "multipart": f'--b\r\nContent-Disposition: form-data; name="m"\r\n\r\n{MARK}\r\n--b--'.encode(),
    "javascript": f"alert('{MARK}')".encode(),
    "template": b"{{7*7}}${7*7}<%= 7*7 %>",
    "csv head without rows": b"prediction_id,label\n",
    "csv quote without end": f'prediction_id,label\n"{MARK}'.encode(),
    "csv with too many fields": b"prediction_id,label\n" + b"," * 10_000,
    "csv with a huge field": b"prediction_id,label\n" + b"x" * 200_000 + b",spam\n",
    "csv with nul": b"prediction_id,label\nx\0y,spam\n",
    "csv formula": f"prediction_id,label\n=cmd|'{MARK}',@sum(a)\n".encode(),
}

SHAPES = {
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a text": json.dumps(MARK).encode(),
    "an array": b"[]",
    "an array of objects": f"[{GOOD}]".encode(),
    "an empty object": b"{}",
    "unknown field": json.dumps({"message": "x", MARK: 1}).encode(),
    "unknown fields, many": json.dumps({f"{MARK}{n}": n for n in range(5000)}).encode(),
    "empty field name": b'{"": 1}',
    "field in capitals": json.dumps({"Message": MARK}).encode(),
    "field with a space": json.dumps({"message ": MARK}).encode(),
    "field with a nul": json.dumps({"message\0": MARK}).encode(),
    "field in look-alike letters": json.dumps({"messаge": MARK}).encode(),
    "prototype": json.dumps({"__proto__": {"admin": MARK}, "message": "x"}).encode(),
    "constructor": json.dumps({"constructor": {"prototype": MARK}}).encode(),
    "python names": json.dumps({"__class__": MARK, "__init__": 1, "self": 1}).encode(),
    "operator": json.dumps({"$where": MARK, "message": {"$gt": ""}}).encode(),
    "reference": json.dumps({"$ref": "file:///etc/passwd"}).encode(),
    "same key twice": f'{{"message": "a", "message": ["{MARK}"]}}'.encode(),
    "same key twice, escaped": b'{"message": "a", "m\\u0065ssage": 1}',
    "same key ten thousand times": ("{" + '"message": 1,' * 10_000 + '"message": 2}').encode(),
    "10,000 open brackets": b"[" * 10_000,
    "10,000 brackets": _nested("[", "]", 10_000).encode(),
    "10,000 objects": _nested('{"a":', "}", 10_000, "1").encode(),
    "1,000 brackets": _nested("[", "]", 1_000).encode(),
    "deep in a field": f'{{"features": {_nested("[", "]", 10_000)}}}'.encode(),
    "deep in a list": f'{{"messages": [{_nested("[", "]", 900)}]}}'.encode(),
    "both kinds of input": json.dumps({"message": MARK, "features": {}}).encode(),
    "both kinds of batch": json.dumps({"messages": [MARK], "batch_features": [{}]}).encode(),
    "both kinds of feedback": json.dumps({"prediction_id": MARK, "items": []}).encode(),
    "lists of two lengths": json.dumps({"messages": ["a", "b"], "user_ids": [MARK]}).encode(),
    "an empty batch": b'{"messages": []}',
    "a batch over the bound": json.dumps({"messages": ["a"] * 1001}).encode(),
    "labels over the bound": json.dumps(
        {"items": [{"prediction_id": "a", "label": "b"}] * 1001}
    ).encode(),
    "a batch of odd things": json.dumps(
        {"messages": [None, 1, True, [], {}, "", " ", MARK * 3000, "\0", 1e308]}
    ).encode(),
    "a batch of odd features": json.dumps(
        {"batch_features": [None, 1, [], "x", {"age": {}}, {"": 1}, {"age": "x"}, {MARK: 1}]}
    ).encode(),
    "just under the size bound": b'{"message": "' + b"x" * (MIB - 15) + b'"}',
    "just over the size bound": b'{"message": "' + b"x" * (MIB - 13) + b'"}',
    "far over the size bound": b" " * (3 * MIB),
    "501 features": json.dumps({"features": {f"{MARK}{n}": 0 for n in range(501)}}).encode(),
}

BODIES = {**ENCODINGS, **SYNTAX, **SHAPES}

VALUES = {
    "a marker": json.dumps(MARK),
    "null": "null",
    "true": "true",
    "zero": "0",
    "minus zero": "-0",
    "minus zero point": "-0.0",
    "one": "1",
    "a half": "0.5",
    "1e400": "1e400",
    "-1e400": "-1e400",
    "1e308": "1e308",
    "a whole number of 309 digits": "1" + "0" * 308,
    "a whole number of 5,000 digits": "9" * 5_000,
    "beyond 64 bits": str(2**64),
    "below 64 bits": str(-(2**63) - 1),
    "a denormal": "5e-324",
    "NaN": "NaN",
    "Infinity": "Infinity",
    "minus Infinity": "-Infinity",
    "nan": "nan",
    "NaN as text": '"NaN"',
    "empty": '""',
    "a space": '" "',
    "100 characters": json.dumps("x" * 100),
    "101 characters": json.dumps("x" * 101),
    "201 characters": json.dumps("x" * 201),
    "20,001 characters": json.dumps("x" * 20_001),
    "a string of 1 MB": json.dumps("x" * 1_000_000),
    "emoji": json.dumps("👩‍👩‍👧‍👦🏴‍☠️" + "\u200d" * 50, ensure_ascii=False),
    "emoji, escaped": '"\\ud83d\\ude00"',
    "right to left": json.dumps("\u202e" + "שלום مرحبا" + "\u2066", ensure_ascii=False),
    "combining marks": json.dumps("a" + "\u0301" * 500, ensure_ascii=False),
    "zero width": json.dumps("\u200b\ufeff\u2060", ensure_ascii=False),
    "no character": json.dumps("\uffff\ufffe", ensure_ascii=False),
    "line separators": json.dumps("\u2028\u2029\x85", ensure_ascii=False),
    "nul, escaped": '"a\\u0000b"',
    "control characters, escaped": '"\\u0001\\u001f\\u007f\\u009f"',
    "escape sequence of a terminal": '"\\u001b[2J\\u001b]0;x\\u0007"',
    "high surrogate, escaped": '"\\ud800"',
    "low surrogate, escaped": '"\\udc00x"',
    "surrogates the wrong way round": '"\\ude00\\ud83d"',
    "line breaks": '"a\\r\\nX-Injected: 1\\r\\n\\r\\n"',
    "a path": '"../../../../etc/passwd"',
    "sql": '"\'; DROP TABLE prediction; --"',
    "format": '"%s%n{0.__class__}{{}}"',
    "markup": '"<script>alert(1)</script>"',
    "formula": "\"=cmd|' /C calc'!A0\"",
    "an array": "[]",
    "an array of one": '["x"]',
    "an object": "{}",
    "nested": '{"a": {"b": [1, {"c": null}]}}',
    "prototype": '{"__proto__": {"x": 1}}',
    "64 deep": _nested("[", "]", 64),
    "1e400 inside": '{"age": 1e400}',
    "1e308 inside": '{"age": 1e308}',
    "a huge number inside": '{"age": ' + "9" * 400 + "}",
    "true inside": '{"age": true, "sex": false}',
    "numbers as text inside": '{"age": "63"}',
    "a list inside": '{"age": [63]}',
}

PREDICT = (
    '{"message": %s}',
    '{"model": "heart_disease", "features": %s}',
    '{"model": "heart_disease", "features": {"age": %s}}',
    '{"model": "heart_disease", "features": {"sex": %s}}',
    '{"message": "x", "model": %s}',
    '{"message": "x", "user_id": %s}',
    '{"message": "x", "request_id": %s}',
    '{"message": "x", "experiment_name": %s}',
    '{"message": "x", "entity_id": %s}',
)
ONE_ID = "0197f3a2-6b1c-7d3e-9a55-0f6f2f4c1b2a"
FIELDS = {
    "/predict": PREDICT,
    "/predict/stream": PREDICT[:4],
    "/predict/batch": (
        '{"messages": %s}',
        '{"messages": ["ok", %s]}',
        '{"model": "heart_disease", "batch_features": [{}, %s]}',
        '{"messages": ["ok"], "user_ids": [%s]}',
        '{"messages": ["ok"], "model": %s}',
    ),
    "/feedback": (
        f'{{"prediction_id": "{ONE_ID}", "label": %s}}',
        '{"prediction_id": %s, "label": "spam"}',
        f'{{"prediction_id": "{ONE_ID}", "label": "spam", "source": %s}}',
        '{"items": %s}',
        f'{{"items": [{{"prediction_id": "{ONE_ID}", "label": %s}}]}}',
    ),
    "/feedback/csv": (f"prediction_id,label\n{ONE_ID},%s\n",),
    "/api/v1/monitoring/log-prediction": (
        '{"predictions": [%s]}',
        '{"predictions": [{"version": "1.0.0", "message": "x", "prediction": "spam",'
        ' "confidence": %s}]}',
        '{"predictions": [{"version": "1.0.0", "message": %s, "prediction": "spam",'
        ' "confidence": 1}]}',
    ),
    "/alerts/webhook": (
        '{"alerts": %s}',
        '{"alerts": [%s]}',
        '{"alerts": [{"status": "firing", "labels": %s}]}',
        '{"alerts": [{"status": "firing", "labels": {"alertname": %s}}]}',
    ),
    "/auth/token": ('{"scopes": %s}',),
    "/api/v1/models/sms_spam/explain": ('{"message": %s}', '{"message": "x", "version": %s}'),
    "/api/v1/features/values": (
        '{"values": [%s]}',
        '{"values": [{"feature": "x@1", "entity_id": "a", "at": %s, "value": 1}]}',
    ),
}
"""The routes of serving, and where in their bodies each of `VALUES` is put."""

CONTENT_TYPES = (
    None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/xml", "application/json; charset=utf-16", "application/json; charset=" + MARK,
    "application/json;" * 50, "*/*", MARK, "application/vnd.api+json", "application/json\t",
)  # fmt: skip

_HEAD = "POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: KEY\r\nContent-Type: application/json\r\n"
_BODY = f"Content-Length: {len(GOOD)}\r\n\r\n{GOOD}"
CONVERSATIONS = {
    "nothing": b"",
    "a line break": b"\r\n",
    "line breaks": b"\r\n" * 1000,
    "garbage": MARK.encode() * 10,
    "all bytes": bytes(range(256)),
    "a handshake of TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "another protocol": b"HELO " + MARK.encode() + b"\r\n",
    "no path": b"POST HTTP/1.1\r\n\r\n",
    "no version": b"POST /predict\r\n\r\n",
    "a bad version": _HEAD.replace("HTTP/1.1", "HTTP/9.9") + _BODY,
    "a version of words": _HEAD.replace("HTTP/1.1", f"HTTP/{MARK}") + _BODY,
    "version 1.0": _HEAD.replace("HTTP/1.1", "HTTP/1.0") + _BODY,
    "a bad method": _HEAD.replace("POST", "P@ST\x01") + _BODY,
    "an unknown method": _HEAD.replace("POST", "BREW") + _BODY,
    "a method in small letters": _HEAD.replace("POST", "post") + _BODY,
    "connect": b"CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "trace": f"TRACE / HTTP/1.1\r\nHost: x\r\nX-Mark: {MARK}\r\n\r\n",
    "an absolute address": _HEAD.replace("/predict", "http://example.org/predict") + _BODY,
    "no host": _HEAD.replace("Host: x\r\n", "") + _BODY,
    "two hosts": _HEAD.replace("Host: x", "Host: x\r\nHost: y") + _BODY,
    "a host with a path": _HEAD.replace("Host: x", f"Host: x/{MARK}") + _BODY,
    "a long path": f"GET /{MARK * 10_000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with nul": b"GET /pre\0dict HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with bad bytes": b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path with bad escapes": f"GET /%zz%{MARK}%00%ff HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs": b"GET /docs/static/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    "a path that climbs, escaped": b"GET /docs/static/%2e%2e%2f%2e%2e%2fetc HTTP/1.1\r\nHost: x\r\n\r\n",
    "a long query": f"GET /health?{MARK * 8_000} HTTP/1.1\r\nHost: x\r\n\r\n",
    "a header without colon": _HEAD + f"{MARK}\r\n" + _BODY,
    "a header without name": _HEAD + f": {MARK}\r\n" + _BODY,
    "a space before the colon": _HEAD + "Content-Length : 1\r\n" + _BODY,
    "a folded header": _HEAD + f"X-A: 1\r\n {MARK}\r\n" + _BODY,
    "a header with nul": _HEAD + "X-A: a\0b\r\n" + _BODY,
    "a header with a bare return": _HEAD + "X-A: a\rX-B: b\r\n" + _BODY,
    "a header with bad bytes": (_HEAD + "X-A: ").encode() + b"\xff\xfe\r\n" + _BODY.encode(),
    "a long header": _HEAD + f"X-A: {MARK * 20_000}\r\n" + _BODY,
    "many headers": _HEAD + "".join(f"X-{n}: {MARK}\r\n" for n in range(5_000)) + _BODY,
    "an injected request id": _HEAD + f"X-Request-ID: {MARK}%0d%0aSet-Cookie: a\r\n" + _BODY,
    "a long request id": _HEAD + f"X-Request-ID: {MARK * 500}\r\n" + _BODY,
    "two keys": _HEAD + f"X-API-Key: {MARK}\r\n" + _BODY,
    "a key and a token": _HEAD + f"Authorization: Bearer {MARK}\r\n" + _BODY,
    "bare line feeds": (_HEAD + _BODY).replace("\r\n", "\n"),
    "no length": _HEAD + "\r\n" + GOOD,
    "a length of words": _HEAD + f"Content-Length: {MARK}\r\n\r\n" + GOOD,
    "a negative length": _HEAD + "Content-Length: -1\r\n\r\n" + GOOD,
    "a length with a plus": _HEAD + "Content-Length: +29\r\n\r\n" + GOOD,
    "a length in hexadecimal": _HEAD + "Content-Length: 0x1d\r\n\r\n" + GOOD,
    "a length beyond 64 bits": _HEAD + f"Content-Length: {2**65}\r\n\r\n" + GOOD,
    "a length too long": _HEAD + "Content-Length: 1000\r\n\r\n" + GOOD,
    "a length too short": _HEAD + "Content-Length: 10\r\n\r\n" + GOOD,
    "a length of nothing": _HEAD + "Content-Length: 0\r\n\r\n" + GOOD,
    "two lengths": _HEAD + "Content-Length: 29\r\nContent-Length: 5\r\n\r\n" + GOOD,
    "a list of lengths": _HEAD + "Content-Length: 29, 5\r\n\r\n" + GOOD,
    "length and chunks": _HEAD + "Transfer-Encoding: chunked\r\n" + _BODY,
    "chunks with a bad size": _HEAD
    + f"Transfer-Encoding: chunked\r\n\r\n{MARK}\r\nab\r\n0\r\n\r\n",
    "chunks with a negative size": _HEAD
    + "Transfer-Encoding: chunked\r\n\r\n-5\r\nab\r\n0\r\n\r\n",
    "chunks with a huge size": _HEAD + f"Transfer-Encoding: chunked\r\n\r\n{'f' * 40}\r\nab\r\n",
    "chunks that are too short": _HEAD + "Transfer-Encoding: chunked\r\n\r\n5\r\nab\r\n0\r\n\r\n",
    "chunks that are too long": _HEAD + "Transfer-Encoding: chunked\r\n\r\n1\r\nabcd\r\n0\r\n\r\n",
    "chunks without an end": _HEAD + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n",
    "chunks with a long extension": _HEAD
    + f"Transfer-Encoding: chunked\r\n\r\n1;{MARK * 5_000}\r\na\r\n0\r\n\r\n",
    "chunks with trailers": _HEAD
    + f"Transfer-Encoding: chunked\r\n\r\n1d\r\n{GOOD}\r\n0\r\nX-API-Key: {MARK}\r\n\r\n",
    "another transfer encoding": _HEAD + f"Transfer-Encoding: {MARK}\r\n\r\n" + GOOD,
    "chunked twice": _HEAD + "Transfer-Encoding: chunked, chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "chunked in disguise": _HEAD + "Transfer-Encoding: \x0bchunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    "a good request, then garbage": _HEAD + _BODY + MARK * 20,
    "three requests at once": (_HEAD + _BODY) * 3,
    "a request in the body of another": _HEAD + _BODY[:-3] + _HEAD + _BODY,
    "an upgrade": b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
    "a websocket": b"GET /predict HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
    "expect to go on": _HEAD + "Expect: 100-continue\r\n" + _BODY,
    "expect something else": _HEAD + f"Expect: {MARK}\r\n" + _BODY,
}
"""Raw bytes on a connection of their own; KEY stands for a valid key."""


def conversation(name, key):
    """Return what is sent in a conversation, with a valid key in its place."""
    said = CONVERSATIONS[name]
    raw = said if isinstance(said, bytes) else said.encode("latin-1")
    return raw.replace(b"KEY", key.encode())
