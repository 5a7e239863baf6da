"""What sets the number of replicas: a fake for tests of others, and what each one must do."""

import pytest

from core.errors import PilothouseError


class FakeScaler:
    """Keeps what it was asked, in order; `then` is called after each, `problem` is raised."""

    def __init__(self):
        self.asked, self.problem, self.then = [], None, lambda: None

    def scale(self, *, action_id, replicas):
        if self.problem:
            raise self.problem
        self.asked.append((action_id, replicas))
        self.then()
        return "done"

    @property
    def wishes(self):
        """What an outside does that tells repetitions by their key."""
        return list(dict.fromkeys(self.asked))


class ScalerContract:
    """What every scaler does. A subclass gives `up()`, `refusing()`, `away()` and `SECRET`.

    The first two are context managers that yield (scaler, asked): `asked()` are the (action id,
    number) that arrived outside.
    """

    SECRET = "no-such-secret"

    def test_the_number_arrives_under_the_id_of_the_action(self):
        with self.up() as (scaler, asked):
            said = scaler.scale(action_id="a-1", replicas=3)
            assert asked() == [("a-1", 3)]
        assert said

    def test_a_repetition_has_the_same_id(self):
        with self.up() as (scaler, asked):
            for _ in range(2):
                scaler.scale(action_id="a-1", replicas=3)
            assert set(asked()) == {("a-1", 3)}

    def test_a_refusal_is_a_sentence(self):
        with self.refusing() as (scaler, _), pytest.raises(PilothouseError) as problem:
            scaler.scale(action_id="a-1", replicas=3)
        assert str(problem.value)

    def test_an_outside_that_is_away_is_a_sentence_without_secrets(self):
        with pytest.raises(PilothouseError) as problem:
            self.away().scale(action_id="a-1", replicas=3)
        assert str(problem.value)
        assert self.SECRET not in str(problem.value)
