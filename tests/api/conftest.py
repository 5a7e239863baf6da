import json
import shutil

import pytest
from fastapi.testclient import TestClient

from api import main
from core import keys
from core.access import Actor, Role
from core.db import Database
from core.serving import service
from tests import serving_kit as kit
from tests.conftest import FakeClock, settings_for
from tests.connections_kit import Server

SCOPES = ("predict", "feedback", "read", "alerts", "operate")


@pytest.fixture(scope="session")
def api_template(sqlite_template, tmp_path_factory):
    """A folder with models that serve and with keys, copied for each test; and the secrets."""
    home = tmp_path_factory.mktemp("api-template")
    shutil.copytree(sqlite_template, home, dirs_exist_ok=True)
    settings = settings_for(f"sqlite:///{home}/pilothouse.db", home)
    db = Database(settings, FakeClock())
    kit.apply_specs(db, Actor("ana", Role.OPERATOR))
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    kit.deploy(db, settings, "sms_spam", "2.0.0")
    kit.deploy(db, settings, "heart_disease", "1.0.0")
    adm = Actor("adm", Role.ADMIN)
    made = {scope: keys.create(db, adm, name=scope, scopes=[scope])[1] for scope in SCOPES}
    made["all"] = keys.create(db, adm, name="all", scopes=SCOPES)[1]
    db.engine.dispose()
    return home, made


@pytest.fixture
def database_url(request, sqlite_template, tmp_path):
    """One database is enough for routes: they only read what core stored."""
    served = "models" in request.fixturenames
    template = request.getfixturevalue("api_template")[0] if served else sqlite_template
    shutil.copytree(template, tmp_path, dirs_exist_ok=True)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def models(db):
    """Two versions of a text model, of which the second serves, and a tabular model."""


@pytest.fixture
def secrets(models, api_template):
    """One key per scope, and one with all."""
    return dict(api_template[1])


@pytest.fixture
def serving(settings, models, secrets, clock):
    return service.build(settings, clock)


@pytest.fixture
def app(serving):
    return main.build(serving)


@pytest.fixture
def client(app, secrets):
    """A client with a key for everything."""
    with TestClient(app, raise_server_exceptions=False) as client:
        client.headers["X-API-Key"] = secrets["all"]
        yield client


def is_problem(answer, status, *words):
    body = json.loads(answer.content)
    assert answer.status_code == status, body
    assert answer.headers["content-type"] == "application/problem+json"
    assert set(body) == {"type", "title", "status", "detail"}
    assert body["type"].startswith("/problems/")
    for word in words:
        assert word in body["detail"]
    return body


@pytest.fixture(scope="module")
def server(sqlite_template, tmp_path_factory):
    home = tmp_path_factory.mktemp("protocol")
    for file in sqlite_template.iterdir():
        shutil.copy(file, home)
    built = Server(home)
    yield built
    built.end()


@pytest.fixture
def line(server):
    with server.connect() as connection:
        yield connection
