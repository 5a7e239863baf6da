"""A real Ray: a head without work of its own and one worker node, on loopback."""

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from core.adapters.ray_executor import RayExecutor
from core.errors import UnavailableError
from core.settings import ROOT
from tests.core.training import executing

ray = pytest.importorskip("ray")
pytestmark = [pytest.mark.extras, pytest.mark.processes, pytest.mark.timeout(300)]
RAY = Path(sys.executable).with_name("ray")


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def start(*words):
    given = {**os.environ, "PYTHONPATH": str(ROOT)}
    common = ["--disable-usage-stats", "--node-ip-address=127.0.0.1", "--block"]
    return subprocess.Popen(
        [RAY, "start", *words, *common, "--object-store-memory=100000000"],
        env=given, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """The address of a head and one more node, each with one place for work."""
    (port,) = free_ports(1)
    address = f"127.0.0.1:{port}"
    folder = f"--temp-dir=/tmp/ray-test-{port}"
    head = start("--head", f"--port={port}", "--num-cpus=1", "--include-dashboard=false", folder)
    nodes = [head]
    executor = RayExecutor(address)
    try:
        wait_for(executor, 1)
        nodes.append(start(f"--address={address}", "--num-cpus=1", '--resources={"second": 1}'))
        wait_for(executor, 2)
        executor.close()
        yield address
    finally:
        executor.close()
        for node in reversed(nodes):
            node.terminate()
            node.wait(30)


def wait_for(executor, nodes):
    until = time.monotonic() + 90
    while time.monotonic() < until:
        try:
            connected = executor._connected()
            if sum(node["Alive"] for node in connected.nodes()) >= nodes:
                return
        except UnavailableError:
            pass
        time.sleep(0.5)
    raise AssertionError(f"no {nodes} nodes within 90 s")


@pytest.fixture(scope="module")
def executor(cluster):
    connected = RayExecutor(cluster)
    yield connected
    connected.close()


class TestRay(executing.Contract):
    def test_both_nodes_carry_out_work(self, executor):
        seen = set()
        for _ in range(10):  # the second node's first process takes its time to start
            seen |= set(dict(executor.run(executing.slow, 0, list(range(12)))).values())
            if len(seen) >= 2:
                break
        assert len(seen) >= 2
        assert os.getpid() not in seen


def test_a_cluster_that_does_not_answer_is_one_sentence():
    ray.shutdown()
    with pytest.raises(UnavailableError, match=r"no Ray cluster answers at 127\.0\.0\.1:1 "):
        list(RayExecutor("127.0.0.1:1").run(executing.add, 1, [1]))
