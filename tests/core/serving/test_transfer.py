"""A version travels to another installation as one signed file, or not at all."""

import io

import pandas as pd
import pytest
import skops.io
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sqlalchemy import select

from core import audit, registry, runs, specs
from core.datasets import versions
from core.db import Database
from core.errors import ConflictError, ForbiddenError, InvalidInputError, TooLargeError
from core.registry import files
from core.serving import artifacts, scorer, transfer
from core.tables.entities import DatasetVersion, ModelVersion, Run
from tests import serving_kit as kit
from tests.conftest import fill, settings_for

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ROWS = pd.DataFrame({"message": ["win a prize", "see you"], "label": ["spam", "ham"]})


@pytest.fixture
def exported(db, settings, ana, shell):
    return export_one(db, settings, ana, shell)


def export_one(db, settings, ana, shell):
    """Return the file of a version with its three data sets, from here."""
    kit.apply_specs(db, ana)
    gate = {"answer": "promote", "champion": "0.9.0"}
    row = kit.register(db, settings, "sms_spam", "1.0.0", evaluations={"d2": "x"})
    with db.command(shell, "version.register") as command:
        row = command.session.get_one(ModelVersion, (row.model, row.version))
        parts = {
            role: versions.add(
                command, model="sms_spam", role=role, frame=ROWS, digest="b" * 64, source="test"
            ).id
            for role in transfer.ROLES
        }
        row.gate, row.threshold = gate, 0.4
        row.train_dataset_id, row.test_dataset_id = parts["train"], parts["validation"]
        row.reference_dataset_id = parts["reference"]
        row.metrics = {**row.metrics, "evaluations": {parts["validation"]: "x"}}
    return transfer.export(db, ana, settings, "sms-spam", "v1.0.0")


@pytest.fixture
def elsewhere(tmp_path, clock):
    """Another installation with the same secret key: its settings and its database."""
    home = tmp_path / "elsewhere"
    home.mkdir()
    there = settings_for(f"sqlite:///{home}/pilothouse.db", home)
    fill(there.db_url, home)
    db = Database(there, clock)
    yield there, db
    db.engine.dispose()


def nothing_is_registered(db, settings):
    with db.read() as session:
        counts = [
            len(session.scalars(select(table)).all())
            for table in (ModelVersion, Run, DatasetVersion)
        ]
    return counts == [0, 0, 0] and not list(settings.folder("artifacts").glob("*"))


def test_a_version_answers_the_same_where_it_was_imported(exported, db, settings, elsewhere, ana):
    there, other = elsewhere
    row = transfer.import_file(other, ana, there, exported, reason="move")
    with db.read() as session:
        origin = registry.get(session, "sms_spam", "1.0.0")
    told = ["win a free prize", "see you at lunch"]
    assert scorer.load(there, row).score(told) == scorer.load(settings, origin).score(told)
    assert (row.version, row.state, row.threshold) == ("1.0.0", "candidate", 0.4)
    assert row.signature == origin.signature


def test_an_imported_version_serves_with_a_plan_where_one_agrees_with_it(
    db, settings, ana, shell, elsewhere, monkeypatch
):
    there, other = elsewhere
    steps = [("features", TfidfVectorizer()), ("model", LogisticRegression())]
    known = Pipeline(steps).fit(kit.HAM + kit.SPAM, ["ham"] * len(kit.HAM) + ["spam"] * 4)
    monkeypatch.setattr(kit, "text_pipeline", lambda flipped=False: known)
    row = transfer.import_file(other, ana, there, export_one(db, settings, ana, shell))
    assert scorer.load(there, row).compiled
    assert row.plan_note.startswith("a compiled plan, within")


def test_an_imported_version_that_cannot_be_compiled_says_why(exported, elsewhere, ana):
    there, other = elsewhere
    row = transfer.import_file(other, ana, there, exported)
    assert (row.plan, row.plan_note) == (
        None,
        "scikit-learn: the pipeline is not features and a model",
    )


def test_an_import_is_a_run_of_its_own_with_the_data_in_words(exported, elsewhere, ana):
    there, other = elsewhere
    row = transfer.import_file(other, ana, there, exported, reason="move")
    with other.read() as session:
        run, data = runs.get(session, row.run_id), versions.get(session, row.test_dataset_id)
        assert specs.active(session, "sms_spam").title == "SMS spam"
    assert (run.kind, run.state, run.version, run.author) == ("import", "finished", "1.0.0", "ana")
    assert (data.role, data.state, data.n_rows) == ("validation", "archived", 2)
    assert row.metrics["evaluations"] == {data.id: "x"}


def test_an_imported_version_is_not_released_by_a_gate_that_never_judged_it_here(
    exported, elsewhere, ana
):
    there, other = elsewhere
    row = transfer.import_file(other, ana, there, exported)
    assert row.gate["answer"] == "not_enough_evidence"
    assert row.gate["reasons"][0].startswith("imported: where it comes from the gate said promote")
    assert not registry.releasable(row)


def test_the_same_model_is_imported_once(exported, db, settings, elsewhere, ana):
    there, other = elsewhere
    transfer.import_file(other, ana, there, exported)
    for where, home in ((other, there), (db, settings)):
        with pytest.raises(ConflictError, match=r"sms_spam 1\.0\.0 is this very model already"):
            transfer.import_file(where, ana, home, exported)
    with other.read() as session:
        row = registry.get(session, "sms_spam", "1.0.0")
    assert artifacts.load(there, row.artifact) is not None


def test_an_import_that_another_one_overtook_leaves_the_model_file_of_that_one(
    exported, elsewhere, ana, monkeypatch
):
    there, other = elsewhere
    keep, first = transfer._keep, []

    def overtaken(*given):
        fresh = keep(*given)
        monkeypatch.setattr(transfer, "_keep", keep)
        first.append(transfer.import_file(other, ana, there, exported))
        return fresh

    monkeypatch.setattr(transfer, "_keep", overtaken)
    with pytest.raises(ConflictError, match="is this very model already"):
        transfer.import_file(other, ana, there, exported)
    assert artifacts.load(there, first[0].artifact) is not None


@pytest.mark.parametrize("place", [0, 25, 40, 75, 90, 400, -1])
def test_a_file_of_which_one_bit_was_changed_registers_nothing(exported, elsewhere, ana, place):
    there, other = elsewhere
    changed = bytearray(exported)
    changed[place] ^= 1
    with pytest.raises((ConflictError, InvalidInputError)):
        transfer.import_file(other, ana, there, bytes(changed))
    assert nothing_is_registered(other, there)


@pytest.mark.parametrize("length", [0, 10, 60, 80, 1000, -1])
def test_a_file_that_was_cut_registers_nothing(exported, elsewhere, ana, length):
    there, other = elsewhere
    with pytest.raises((ConflictError, InvalidInputError)):
        transfer.import_file(other, ana, there, exported[:length])
    assert nothing_is_registered(other, there)


def test_a_file_of_another_installation_says_what_is_missing(exported, elsewhere, ana):
    there, other = elsewhere
    foreign = there.model_copy(update={"secret_key": None})
    with pytest.raises(ConflictError, match="both need the same PILOTHOUSE_SECRET_KEY"):
        transfer.import_file(other, ana, foreign, exported)
    assert nothing_is_registered(other, there)


def test_a_signed_file_with_a_type_that_is_not_trusted_registers_nothing(elsewhere, ana, exported):
    there, other = elsewhere
    key = there.key_for(files.PURPOSE)
    description, _ = files.unseal(exported, key)
    buffer = io.BytesIO()
    skops.io.dump(FunctionTransformer(eval), buffer)
    artifact = buffer.getvalue()
    description["artifact"] = transfer.hashlib.sha256(artifact).hexdigest()
    with pytest.raises(InvalidInputError, match="not trusted"):
        transfer.import_file(other, ana, there, files.seal(description, artifact, key))
    assert nothing_is_registered(other, there)


def test_a_model_that_is_not_the_described_one_is_refused(elsewhere, ana, exported):
    there, other = elsewhere
    key = there.key_for(files.PURPOSE)
    description, artifact = files.unseal(exported, key)
    with pytest.raises(ConflictError, match="not the one that it describes"):
        transfer.import_file(other, ana, there, files.seal(description, artifact + b"x", key))


def test_a_viewer_neither_exports_nor_imports(exported, db, settings, elsewhere, vic):
    there, other = elsewhere
    with pytest.raises(ForbiddenError):
        transfer.export(db, vic, settings, "sms_spam", "1.0.0")
    with pytest.raises(ForbiddenError):
        transfer.import_file(other, vic, there, exported)
    assert nothing_is_registered(other, there)
    assert len(refused(other)) == 1


def refused(db):
    with db.read() as session:
        rows = audit.tail(session, action="version.import")
    assert {row.outcome for row in rows} == {"refused"}
    return rows


def test_a_file_is_not_even_opened_for_a_viewer(db, settings, vic):
    with pytest.raises(ForbiddenError):
        transfer.import_file(db, vic, settings, b"no version file")


def test_a_bad_file_leaves_one_refused_row_that_says_why(db, settings, ana):
    with pytest.raises(InvalidInputError):
        transfer.import_file(db, ana, settings, b"no version file", reason="move")
    (row,) = refused(db)
    assert (row.actor, row.reason, bool(row.detail["refused_because"])) == ("ana", "move", True)


def test_a_file_that_is_too_large_is_not_read(elsewhere, ana, exported, monkeypatch):
    monkeypatch.setattr(files, "MOST_BYTES", 100)
    with pytest.raises(TooLargeError, match="at most"):
        files.unseal(exported, b"k" * 32)
