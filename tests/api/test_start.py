"""What it takes to start an api process, and what it starts without."""

import os
import shutil
import socket
from contextlib import closing
from pathlib import Path
from signal import SIGTERM
from time import monotonic
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from core import specs
from core.serving import artifacts, service
from core.serving.snapshot import Snapshots
from core.training import pipelines
from tests import serving_kit as kit
from tests.processes_kit import SPAM, Api, House, until

pytestmark = pytest.mark.processes
START_SECONDS = 6.0  # 1.1 where nothing else runs: this is for an import that weighs seconds
LINEAR_MB, TREES_MB, PER_ONNX_MB = 150, 130, 14


@pytest.fixture(scope="module")
def house(sqlite_template, tmp_path_factory):
    """A house whose two models serve with linear plans."""
    home = tmp_path_factory.mktemp("light")
    built = House(shutil.copytree(sqlite_template, home, dirs_exist_ok=True))
    text = Pipeline([("features", TfidfVectorizer()), ("model", LogisticRegression())])
    text.fit(kit.HAM + kit.SPAM, ["ham"] * len(kit.HAM) + ["spam"] * len(kit.SPAM))
    serve(built, "sms_spam", "2.0.0", text)
    serve(built, "heart_disease", "2.0.0", table(LogisticRegression()))
    yield built
    built.db.engine.dispose()


def serve(house, model, version, pipeline):
    row = kit.compiled(house.db, house.settings, model, version, pipeline)
    kit.release(house.db, model, version)
    return artifacts.path(house.settings, row.plan, artifacts.PLAN).stat().st_size / 2**20


def table(model, rows=4_000):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"age": rng.normal(50, 15, rows), "sex": rng.choice(["0", "1"], rows)})
    sick = np.where(frame["age"] + rng.normal(0, 20, rows) > 50, "disease", "healthy")
    parts = [("features", pipelines.features(specs.parse(kit.TABLE_SPEC))), ("model", model)]
    return Pipeline(parts).fit(frame, sick)


def cpu_seconds(process):
    spent = Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return sum(map(int, spent)) / os.sysconf("SC_CLK_TCK")


def rss_mb(process):
    pages = int(Path(f"/proc/{process.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def libraries(process):
    """The compiled libraries that a process has loaded."""
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    heavy = ("onnxruntime", "pandas", "scipy", "sklearn", "torch")
    return [name for name in heavy if f"site-packages/{name}/" in maps]


def served(api, house, version, trees):
    """Let a running api serve trees; return the size of their plan in MB."""
    megabytes = serve(house, "heart_disease", version, table(trees))
    with api.client() as client:
        until(lambda: f"heart_disease {version}" in client.get("/health").json()["models_loaded"])
    return megabytes


def start(house):
    """Start an api; return it, how long it took, and what that cost of the processor."""
    begun = monotonic()
    api = Api(house)
    return api, monotonic() - begun, cpu_seconds(api.process)


def test_start_and_memory_stay_within_bounds(house):
    api, wall, cpu = start(house)
    linear = rss_mb(api.process)
    loaded = libraries(api.process)
    small = RandomForestClassifier(100, max_depth=5, random_state=0)
    served(api, house, "3.0.0", small)
    masks, with_masks = rss_mb(api.process), libraries(api.process)
    megabytes = served(api, house, "4.0.0", RandomForestClassifier(100, random_state=0))
    trees, with_trees = rss_mb(api.process), libraries(api.process)
    api.end(SIGTERM)
    print(
        f"ready after {wall:.2f} s, {cpu:.2f} s of processor; {linear:.0f} MB with linear plans, "
        f"{masks:.0f} MB with small trees, {trees:.0f} MB with {megabytes:.1f} MB of trees"
    )
    assert (loaded, with_masks, with_trees) == ([], [], ["onnxruntime"])
    assert cpu < START_SECONDS
    assert linear <= LINEAR_MB
    assert masks <= TREES_MB
    assert trees <= TREES_MB + PER_ONNX_MB * megabytes


def test_a_database_that_never_answers_does_not_keep_it_from_starting(house):
    with closing(socket.create_server(("127.0.0.1", 0))) as hole:
        url = f"postgresql://127.0.0.1:{hole.getsockname()[1]}/pilothouse"
        leave_a_snapshot(house, url)
        api, ready, _ = start(elsewhere(house, url))
        with api.client() as client:
            answer, state = client.post("/predict", json=SPAM), client.get("/health/ready").json()
        api.end(SIGTERM)
    print(f"ready after {ready:.1f} s without a database")
    assert ready < 20  # four seconds, where nothing else runs
    assert answer.json()["prediction"] == "spam"
    assert state["status"] == "degraded"
    assert answer.json()["prediction_id"] in house.stored()


def elsewhere(house, url):
    environment = {**house.environment(), "PILOTHOUSE_DATABASE_URL": url}
    return SimpleNamespace(environment=lambda: environment, secret=house.secret)


def leave_a_snapshot(house, url):
    """Write what a process that read the database under this URL would have written."""
    built = service.build(house.settings)
    built.refresh()
    built.close()
    settings = house.settings.model_copy(update={"database_url": url})
    releases = [built._sources[name] for name in built.board.served]
    Snapshots(settings).keep(built.board, releases, built.clock())
