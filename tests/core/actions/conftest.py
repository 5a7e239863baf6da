import pytest

from tests.state_kit import World


@pytest.fixture
def world(db, settings, clock):
    """A model that serves 2.0.0, served 1.0.0 before, and has 3.0.0 waiting."""
    return World(db, settings, clock)
