"""Bad bodies and bad conversations against a real process: refused in words, and never echoed."""

import http.client
import json
import re
import select
import shutil
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.api.bad_bodies import BODIES, CONTENT_TYPES, CONVERSATIONS, FIELDS, GOOD, MARK, VALUES
from tests.api.bad_bodies import conversation as said
from tests.processes_kit import Api, House

pytestmark = pytest.mark.processes
REFUSED = {400, 401, 403, 404, 405, 408, 409, 413, 415, 417, 422, 429, 431}


@pytest.fixture(scope="module")
def api(sqlite_template, tmp_path_factory):
    home = tmp_path_factory.mktemp("bad-input")
    house = House(shutil.copytree(sqlite_template, home, dirs_exist_ok=True))
    begun = Api(house)
    begun.log = house.settings.logs / "api.log"
    for path in FIELDS:  # what is asked first loads much, once
        Line(begun).post(path, GOOD.encode(), seconds=60)
    yield begun
    begun.end(signal.SIGKILL)
    house.db.engine.dispose()


class Line:
    """A connection that is kept open, and opened again when the server closed it."""

    def __init__(self, api):
        self.address = urlsplit(api.url).netloc
        self.key = api.headers["X-API-Key"]
        self.connection = http.client.HTTPConnection(self.address, timeout=60)

    def post(self, path, body, content_type="application/json", seconds=10):
        """Return status, headers and body; a refused body may be cut off by the server."""
        headers = {"X-API-Key": self.key, "Content-Length": str(len(body))}
        if content_type is not None:
            headers["Content-Type"] = content_type
        start = time.monotonic()
        try:
            self.connection.request("POST", path, body, headers)
            answer = self.connection.getresponse()
            content = answer.read()
        except (ConnectionError, http.client.RemoteDisconnected):
            self.connection.close()
            return None
        assert time.monotonic() - start < seconds, path
        return answer.status, dict(answer.getheaders()), content


@pytest.fixture
def line(api):
    opened = Line(api)
    yield opened
    opened.connection.close()


def judge(name, answer):
    """Assert that an answer is a refusal in our words, or one that nothing is wrong with."""
    status, headers, content = answer
    assert MARK.encode() not in content, name
    assert MARK not in str(headers), name
    assert b"Traceback" not in content, name
    if status == 200:
        problems = [one["error"] for one in found(content) if "error" in one]
    else:
        assert status in REFUSED, (name, status)
        assert headers["content-type"] == "application/problem+json", name
        problems = [json.loads(content)]
    for problem in problems:
        assert set(problem) == {"type", "title", "status", "detail"}, name
        assert problem["status"] in REFUSED, name


def found(content):
    """Return the results in an answer, of whatever route."""
    answers = [json.loads(row) for row in content.splitlines()]
    parts = [
        one for name in ("results", "refused") for answer in answers for one in answer.get(name, ())
    ]
    return [*answers, *parts]


def test_there_are_many():
    assert len(BODIES) >= 100
    assert len(BODIES) + len(CONVERSATIONS) >= 150
    assert all(len(BODIES) + len(VALUES) * len(places) > 150 for places in FIELDS.values())


@pytest.mark.parametrize("path", FIELDS)
def test_bad_bodies_are_refused_without_an_echo(api, line, path):
    kind = "text/csv" if path.endswith("csv") else "application/json"
    for name, body in BODIES.items():
        if (answer := line.post(path, body, kind)) is not None:
            judge(f"{path}: {name}", answer)
        else:
            assert len(body) > 1 << 20, name
    well(api, line)


@pytest.mark.parametrize("path", FIELDS)
def test_bad_values_are_refused_without_an_echo(api, line, path):
    for place in FIELDS[path]:
        for name, value in VALUES.items():
            if name == "a marker" and "user_id" in place:
                continue  # the answer says whom it is for
            body = place.replace("%s", value).encode()
            judge(f"{path}: {place}: {name}", line.post(path, body))
    well(api, line)


def test_both_ways_to_predict_refuse_the_same(line):
    """What the fast path takes or refuses, the framework takes or refuses too."""
    bodies = {f"{place}: {name}": place.replace("%s", value).encode()
              for place in FIELDS["/predict"] for name, value in VALUES.items()}  # fmt: skip
    for name, body in {**BODIES, **bodies}.items():
        if len(body) < 1 << 20:
            plain = line.post("/predict", body)
            other = line.post("/predict", body, "application/JSON; charset=UTF-8")
            assert plain[0] == other[0], name
            if plain[0] != 200:
                assert plain[2] == other[2], name


@pytest.mark.parametrize("path", ["/predict", "/predict/batch", "/feedback"])
def test_other_content_types_are_refused_or_read_as_json(line, path):
    for kind in CONTENT_TYPES:
        judge(f"{path}: {kind}", line.post(path, GOOD.encode(), kind))


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_bad_conversations_end(api, line, name):
    start = time.monotonic()
    answer = talk(line.address, said(name, line.key))
    assert time.monotonic() - start < 10
    assert MARK.encode() not in answer
    assert b"Traceback" not in answer
    statuses = [int(status) for status in re.findall(rb"HTTP/1\.[01] (\d{3}) ", answer)]
    assert set(statuses) <= REFUSED | {100, 200, 426}
    refusals = [status for status in statuses if status >= 400]
    assert answer.count(b"application/problem+json") == len(refusals)
    well(api, line)


def talk(address, content):
    """Say something and no more; return what is answered until the server closes."""
    host, port = address.split(":")
    heard = b""
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        try:
            wire.sendall(content)
            answered, _, _ = select.select([wire], [], [], 0.3)  # half of a request has no answer
            heard = wire.recv(65536) if answered else b""
            wire.shutdown(socket.SHUT_WR)
            heard += b"".join(iter(lambda: wire.recv(65536), b""))
        except TimeoutError:
            raise  # a hang
        except OSError:  # closed in our face
            pass
    return heard


def well(api, line):
    """Assert that the process lives, answers, and saw no fault."""
    assert api.process.poll() is None
    status, _, content = line.post("/predict", GOOD.encode())
    assert (status, json.loads(content)["prediction"]) == (200, "ham")
    assert "Traceback" not in api.log.read_text()
