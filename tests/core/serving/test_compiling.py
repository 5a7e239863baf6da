import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from core import audit
from core.errors import ConflictError, ForbiddenError, NotFoundError
from core.serving import artifacts, scorer
from core.serving.compiling import compile_again
from tests import serving_kit as kit


@pytest.fixture
def older(db, settings, ana, monkeypatch):
    """A version that could be compiled, of a time when nothing was."""
    steps = [("features", TfidfVectorizer()), ("model", LogisticRegression())]
    fitted = Pipeline(steps).fit(kit.HAM + kit.SPAM, ["ham"] * 4 + ["spam"] * 4)
    monkeypatch.setattr(kit, "text_pipeline", lambda flipped=False: fitted)
    kit.apply_specs(db, ana)
    return kit.register(db, settings, "sms_spam", "1.0.0")


def test_an_older_version_gets_a_plan_that_answers_the_same(db, settings, shell, older):
    before = scorer.load(settings, older)
    row = compile_again(db, shell, settings, "sms-spam", "v1.0.0", reason="faster")
    after = scorer.load(settings, row)
    assert (before.compiled, after.compiled) == (False, True)
    (one,), (other,) = before.score(["win a prize"]), after.score(["win a prize"])
    assert abs(one.probability - other.probability) < 1e-6
    with db.read() as session:
        (noted,) = audit.tail(session, action="version.compile")
    assert (noted.outcome, noted.reason, noted.detail["plan"]) == ("done", "faster", row.plan)


def test_a_version_is_compiled_once(db, settings, shell, older):
    compile_again(db, shell, settings, "sms_spam", "1.0.0")
    with pytest.raises(ConflictError, match="serves with a compiled plan.*already"):
        compile_again(db, shell, settings, "sms_spam", "1.0.0")


def test_one_that_cannot_be_compiled_says_why_and_stays_as_it_was(db, settings, ana, shell):
    kit.apply_specs(db, ana)
    kit.register(db, settings, "sms_spam", "1.0.0")
    row = compile_again(db, shell, settings, "sms_spam", "1.0.0")
    assert row.plan is None
    assert row.plan_note == "scikit-learn: the pipeline is not features and a model"


def test_a_viewer_may_not_and_a_changed_file_is_not_compiled(db, settings, vic, shell, older):
    with pytest.raises(ForbiddenError):
        compile_again(db, vic, settings, "sms_spam", "1.0.0")
    with pytest.raises(NotFoundError):
        compile_again(db, shell, settings, "sms_spam", "9.0.0")
    artifacts.path(settings, older.artifact).write_bytes(b"cut")
    with pytest.raises(ConflictError, match="changed or cut"):
        compile_again(db, shell, settings, "sms_spam", "1.0.0")
