import pytest

from core.keys import Caller
from core.serving import service
from tests import serving_kit as kit


@pytest.fixture
def serving(settings, db, ana, clock):
    """An api process's memory and log, with two models released."""
    kit.apply_specs(db, ana)
    kit.deploy(db, settings, "sms_spam", "1.0.0")
    kit.deploy(db, settings, "heart_disease", "1.0.0")
    built = service.build(settings, clock)
    built.refresh()
    yield built
    built.close()


@pytest.fixture
def caller():
    return Caller("key-1", "shop", frozenset({"predict"}))
