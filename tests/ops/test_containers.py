"""What the containers promise: no rights, named volumes, health checks, time to end."""

import re

import pytest
import yaml

from core.settings import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = [name for name in SERVICES if name != "postgres"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_process_of_the_product_has_its_container():
    assert set(SERVICES) == {"postgres", "init", "mlflow", "api", "panel", "worker", "shipper"}


@pytest.mark.parametrize("name", [name for name in SERVICES if name != "init"])
def test_every_service_has_a_health_check_that_gives_it_time_to_start(name):
    check = SERVICES[name]["healthcheck"]
    assert check["test"]
    assert check["start_period"]
    assert "curl" not in str(check["test"])  # there is none in a slim image


@pytest.mark.parametrize("name", OURS)
def test_a_container_of_ours_has_no_rights_and_thirty_seconds_to_end(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert service["stop_grace_period"] == "30s"


def test_state_lies_in_named_volumes_only():
    used = {volume.split(":")[0] for one in SERVICES.values() for volume in one.get("volumes", [])}
    assert used == set(COMPOSE["volumes"])


def test_nothing_waits_for_mlflow():
    assert not [name for name, one in SERVICES.items() if "mlflow" in one.get("depends_on", {})]


def test_the_image_ends_up_with_a_user_who_owns_its_data_folder_and_nothing_else():
    last = DOCKERFILE.rindex("FROM ")
    (user,) = re.findall(r"^USER (\d+)$", DOCKERFILE[last:], re.MULTILINE)
    assert int(user) > 0
    made = DOCKERFILE.index("install -d -o pilothouse")
    assert last < made < DOCKERFILE.index(f"USER {user}")
