import threading

from core import actions
from core.errors import ConflictError
from tests.state_kit import ANA


def test_of_ten_who_undo_at_once_one_wins(world):
    promoted = world.do("promote", version="3.0.0")
    outcomes, gate = [], threading.Barrier(10)

    def take_back():
        gate.wait()
        try:
            outcomes.append(actions.undo(world.db, ANA, promoted.id, reason="regret"))
        except ConflictError as problem:
            outcomes.append(str(problem))

    threads = [threading.Thread(target=take_back) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(f"{world.name} serves 2.0.0 again") == 1
    assert len([words for words in outcomes if "has reverted" in words]) == 9
