import pytest

from core import outbox, recommendations
from core.errors import ConflictError, ForbiddenError
from tests.actions_kit import AGENT, approved, carry_out, experiment, served, two_versions, undo


def test_a_promotion_is_undone_by_serving_again_what_served_before(db, settings, ana, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    carry_out(db, settings)
    assert undo(db, ana) == "spam serves 1.0.0 again"
    assert served(db) == "1.0.0"
    with pytest.raises(ConflictError, match="has reverted"):
        undo(db, ana)


def test_an_undone_promotion_is_told_to_those_who_wait_for_messages(
    db, settings, ana, apo, release
):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    carry_out(db, settings)
    undo(db, ana, channels=["slack"])
    with db.read() as session:
        (told,) = outbox.recent(session)
    assert told.subject == "spam now serves 1.0.0 again (rolled back by ana: regret)"


def test_an_experiment_is_undone_by_stopping_it(db, settings, ana, apo, release):
    two_versions(release)
    row = experiment(db, ana)
    approved(db, apo, "start_experiment", experiment_id=row.id)
    carry_out(db, settings)
    assert undo(db, ana) == "experiment e is stopped; 1.0.0 serves everything"
    assert served(db) == "1.0.0"


def test_undoing_a_rollback_is_a_promotion_that_another_person_decides(
    db, settings, apo, adm, release
):
    release("spam", "1.0.0")
    release("spam", "2.0.0")
    approved(db, apo, "rollback", to="1.0.0")
    carry_out(db, settings)
    assert "another person decides" in undo(db, apo)
    assert served(db) == "1.0.0"
    with db.read() as session:
        row = recommendations.waiting(session)[0]
    with pytest.raises(ForbiddenError, match="another person decides"):
        recommendations.approve(db, apo, row.id, digest=row.digest, solo=True)
    recommendations.approve(db, adm, row.id, digest=row.digest, solo=False)
    carry_out(db, settings)
    assert served(db) == "2.0.0"


def test_what_was_overtaken_cannot_be_undone(db, settings, ana, apo, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    carry_out(db, settings)
    release("spam", "3.0.0")
    with pytest.raises(ConflictError, match="another release serves by now"):
        undo(db, ana)


def test_only_a_person_undoes(db, settings, apo, vic, shell, release):
    two_versions(release)
    approved(db, apo, version="2.0.0")
    carry_out(db, settings)
    for actor in (vic, shell, AGENT):
        with pytest.raises(ForbiddenError):
            undo(db, actor)
