import pytest

from core import features, specs
from core.errors import ForbiddenError, InvalidInputError, NotFoundError

SPEC = """
name: loans
title: Loans
task: tabular
target: {column: bad, positive: "yes", negative: "no"}
input:
  features:
    - {name: income, type: numeric}
    - {name: ratio, type: numeric, definition: debt_ratio@1}
candidates: [{kind: logistic_regression}]
"""


def ratio(db, actor, body="debt / income", **how):
    inputs = {"debt": "numeric", "income": "numeric"}
    given = {"type": "numeric", "how": "expression", "body": body, "inputs": inputs, **how}
    return features.define(db, actor, "debt_ratio", **given)


def test_an_edit_is_a_new_version_and_the_old_one_stays(db, ana):
    ratio(db, ana)
    assert ratio(db, ana, "debt / (income + 1)").label == "debt_ratio@2"
    with db.read() as session:
        assert features.named(session, "debt_ratio@1").body == "debt / income"
        assert features.named(session, "debt_ratio").version == 2
        assert [row.author for row in features.history(session, "debt_ratio")] == ["ana", "ana"]


def test_the_same_content_again_is_the_same_version(db, ana):
    ratio(db, ana)
    assert ratio(db, ana).version == 1


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ({"body": "debt / wage"}, "wage is none of the inputs"),
        ({"body": "debt * 2"}, "does not read its input income"),
        ({"type": "text"}, "should be text, but what it does yields numeric"),
        ({"how": "function", "body": "nosuch"}, "There is no function nosuch"),
        ({"how": "function", "body": "text_length"}, "text_length reads one column"),
        ({"how": "lookup", "body": ""}, "names its entity"),
        ({"how": "lookup", "body": "-1", "entity": "customer", "inputs": {}}, "oldest age"),
        ({"inputs": {}}, "1 to 50 different columns"),
    ],
)
def test_a_definition_that_cannot_be_used_is_refused_in_a_sentence(db, ana, how, sentence):
    with pytest.raises(InvalidInputError, match=sentence):
        ratio(db, ana, **how)


def test_a_viewer_may_not_define_a_feature(db, vic):
    with pytest.raises(ForbiddenError):
        ratio(db, vic)


def test_a_spec_that_names_a_definition_is_applied_once_that_exists(db, ana):
    with pytest.raises(InvalidInputError, match="debt_ratio@1, which is not defined"):
        specs.apply(db, ana, SPEC)
    ratio(db, ana)
    specs.apply(db, ana, SPEC)
    with db.read() as session:
        bound = features.of_spec(session, specs.active(session, "loans"))
    assert bound["ratio"].words == "debt / income"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SPEC.replace("ratio, type: numeric", "ratio, type: category"), "is category, but"),
        (SPEC.replace("income, type: numeric", "income, type: category"), "income as numeric, but"),
        (SPEC.replace("column: bad", "column: debt"), "reads the target debt"),
        (
            SPEC.replace(
                "{name: income, type: numeric}",
                "{name: debt, type: numeric, definition: debt_ratio@1}",
            ),
            "derived itself",
        ),
    ],
)
def test_a_spec_that_a_definition_does_not_fit_is_refused(db, ana, text, sentence):
    ratio(db, ana)
    with pytest.raises(InvalidInputError, match=sentence):
        specs.apply(db, ana, text)


def test_a_spec_with_a_look_up_names_entity_and_moment(db, ana):
    features.define(db, ana, "debt_ratio", type="numeric", how="lookup", entity="customer")
    with pytest.raises(InvalidInputError, match=r"input.entity and input.at"):
        specs.apply(db, ana, SPEC)


def test_an_unknown_feature_is_said_to_be_unknown(db):
    with db.read() as session, pytest.raises(NotFoundError, match="no feature x@999999999"):
        features.named(session, "x@999999999")
