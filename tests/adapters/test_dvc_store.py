"""Copies of data sets in a real DVC remote: a folder beside the data folder."""

import shutil

import pandas as pd
import pytest

from core import specs
from core.adapters.dvc_store import DvcStore
from core.datasets import copies, versions
from core.errors import ConflictError, InvalidInputError, NotFoundError, PilothouseError
from core.settings import ROOT


@pytest.fixture
def database_url(sqlite_template, tmp_path):
    for file in sqlite_template.iterdir():
        shutil.copy(file, tmp_path)
    return f"sqlite:///{tmp_path}/pilothouse.db"


@pytest.fixture
def row(db, settings, ana):
    model = specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text()).name
    labels = ["spam" if i % 5 == 0 else "ham" for i in range(600)]
    frame = pd.DataFrame({"message": [f"text {i}" for i in range(600)], "label": labels})
    return versions.load(db, ana, settings, model, frame=frame)


def store_at(settings, remote):
    return DvcStore(settings.model_copy(update={"dvc_remote": str(remote)}))


@pytest.fixture
def store(settings, tmp_path):
    return store_at(settings, tmp_path / "remote")


def test_without_a_remote_one_sentence_says_what_to_set(db, settings, ana, row):
    with pytest.raises(InvalidInputError, match="No DVC remote is set: .* PILOTHOUSE_DVC_REMOTE"):
        copies.push(db, ana, settings, row.id, DvcStore(settings))


def test_without_the_package_one_sentence_says_what_to_install(
    db, settings, ana, row, store, monkeypatch
):
    monkeypatch.setitem(__import__("sys").modules, "dvc.repo", None)
    monkeypatch.setitem(__import__("sys").modules, "dvc.exceptions", None)
    with pytest.raises(InvalidInputError, match="DVC is not installed: .* requirements-dvc.txt"):
        copies.push(db, ana, settings, row.id, store)


def test_what_was_never_pushed_cannot_be_pulled(db, settings, row, store):
    versions.path_of(settings, row).unlink()
    with pytest.raises(NotFoundError, match="no copy of data set"):
        copies.pull(db, settings, row.id, store)


@pytest.mark.extras
def test_a_lost_file_comes_back_whole_even_when_all_of_the_data_folder_is_lost(
    db, settings, ana, row, store
):
    pytest.importorskip("dvc")
    before = versions.frame(settings, row)
    kept = copies.push(db, ana, settings, row.id, store)
    assert kept.kept_at.startswith("dvc:")
    shutil.rmtree(settings.folder("datasets"))
    shutil.rmtree(settings.folder("dvc"))

    copies.pull(db, settings, row.id, store)

    assert versions.frame(settings, row).equals(before)


@pytest.mark.extras
def test_a_damaged_file_is_replaced_by_the_copy_and_never_pushed(db, settings, ana, row, store):
    pytest.importorskip("dvc")
    copies.push(db, ana, settings, row.id, store)
    versions.path_of(settings, row).write_bytes(b"rubbish")
    with pytest.raises(ConflictError):
        copies.push(db, ana, settings, row.id, store)
    copies.pull(db, settings, row.id, store)
    assert versions.is_whole(settings, row)


@pytest.mark.extras
def test_a_remote_that_lost_the_copy_is_told_in_words(db, settings, ana, row, store, tmp_path):
    pytest.importorskip("dvc")
    copies.push(db, ana, settings, row.id, store)
    versions.path_of(settings, row).unlink()
    shutil.rmtree(settings.folder("dvc"))
    shutil.rmtree(tmp_path / "remote")
    with pytest.raises(PilothouseError, match="DVC remote"):
        copies.pull(db, settings, row.id, store)
    assert not versions.path_of(settings, row).exists()
