import pandas as pd
import pytest

from core import specs
from core.datasets import schema, versions
from core.errors import ConflictError, ForbiddenError, InvalidInputError, NotFoundError
from core.settings import ROOT


@pytest.fixture
def model(db, ana):
    return specs.apply(db, ana, (ROOT / "specs" / "sms_spam.yaml").read_text()).name


def messages(n=600):
    labels = ["spam" if i % 5 == 0 else "ham" for i in range(n)]
    return pd.DataFrame({"message": [f"text {i}" for i in range(n)], "label": labels})


def test_the_same_content_is_the_same_version(db, settings, ana, model):
    first = versions.load(db, ana, settings, model, frame=messages(), source="a file")
    again = versions.load(db, ana, settings, "SMS-spam", frame=messages(), source="another file")
    assert first.id == again.id
    assert (first.state, first.n_rows, first.source, first.author) == (
        "validated",
        600,
        "a file",
        "ana",
    )
    assert versions.frame(settings, first).equals(messages().astype("object"))


def test_another_row_is_another_version_and_the_newest_is_the_latest(
    db, settings, ana, model, clock
):
    versions.load(db, ana, settings, model, frame=messages(600))
    clock.forward(minutes=1)
    second = versions.load(db, ana, settings, model, frame=messages(601))
    with db.read() as session:
        assert versions.latest(session, model, "train").id == second.id
        with pytest.raises(NotFoundError, match="no validated reference data"):
            versions.latest(session, model, "reference")


def test_bad_data_is_kept_as_rejected_and_never_the_latest(db, settings, ana, model):
    row = versions.load(db, ana, settings, model, frame=messages(50))
    assert row.state == "rejected"
    with pytest.raises(
        InvalidInputError, match="cannot be trained on. The data has 50 different rows"
    ):
        versions.usable(row)
    with db.read() as session, pytest.raises(NotFoundError):
        versions.latest(session, model, "train")


def test_rejected_data_is_validated_when_the_spec_allows_it_later(db, settings, ana, model):
    row = versions.load(db, ana, settings, model, frame=messages(100))
    text = (ROOT / "specs" / "sms_spam.yaml").read_text()
    specs.apply(
        db,
        ana,
        text.replace("min_rows: 500, min_test_rows: 100", "min_rows: 50, min_test_rows: 10"),
    )
    again = versions.load(db, ana, settings, model, frame=messages(100))
    assert (again.id, again.state) == (row.id, "validated")


def test_without_a_frame_the_specs_source_is_read(db, settings, ana, model):
    offline = settings.model_copy(update={"data_dir": None})
    row = versions.load(db, ana, offline, model)
    assert row.source.startswith("5,000 generated messages")
    assert [column["type"] for column in row.columns] == ["text", "category"]


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (lambda path: path.unlink(), NotFoundError),
        (lambda path: path.write_bytes(path.read_bytes()[:-50]), ConflictError),
        (lambda path: path.write_bytes(b"rubbish"), ConflictError),
        (lambda path: messages(599).to_parquet(path), ConflictError),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_that_are_not_those_that_were_kept_are_refused(
    db, settings, ana, model, damage, error
):
    row = versions.load(db, ana, settings, model, frame=messages())
    damage(settings.folder("datasets") / f"{row.digest}.parquet")
    with pytest.raises(error):
        versions.frame(settings, row)


@pytest.mark.parametrize("content", [b"rubbish", None])
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_loading_the_same_rows_again_replaces_a_damaged_file(db, settings, ana, model, content):
    row = versions.load(db, ana, settings, model, frame=messages())
    file = settings.folder("datasets") / f"{row.digest}.parquet"
    file.write_bytes(file.read_bytes()[:-50] if content is None else content)
    versions.load(db, ana, settings, model, frame=messages())
    assert len(versions.frame(settings, row)) == len(messages())


def test_a_viewer_may_not_load_data(db, settings, vic, model):
    with pytest.raises(ForbiddenError):
        versions.load(db, vic, settings, model, frame=messages())


def test_the_digest_depends_on_content_only():
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    same = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", None]}, index=[5, 9]).astype({"b": "string"})
    assert versions.digest_of(frame) == versions.digest_of(same)
    for other in (
        frame[["b", "a"]],
        frame.iloc[::-1],
        frame.assign(b=["x", ""]),
        frame.assign(b=["", "x"]),
        frame.rename(columns={"a": "c"}),
    ):
        assert versions.digest_of(frame) != versions.digest_of(other)


def test_conforming_twice_changes_nothing_and_spells_categories_one_way():
    spec = specs.parse((ROOT / "specs" / "heart_disease.yaml").read_text())
    raw = pd.DataFrame(
        {f.name: [1.0, None, 3.0] for f in spec.input.features} | {"num": [0, 2, None]}
    )
    once = schema.conform(raw, spec)
    assert once["sex"].tolist() == ["1", None]
    assert once["num"].tolist() == ["healthy", "disease"]
    assert schema.conform(once, spec).equals(once)
