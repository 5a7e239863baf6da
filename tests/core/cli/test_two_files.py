import json

import numpy as np
import pandas as pd
import pytest

from core.datasets import generator
from core.monitoring import two_files


@pytest.fixture
def pair(tmp_path):
    """Write two frames; returns the words of the command that compares them."""

    def write(before, now, *, suffix="csv"):
        words = []
        for name, frame in (("reference", before), ("current", now)):
            path = tmp_path / f"{name}.{suffix}"
            if suffix == "jsonl":
                frame.to_json(path, orient="records", lines=True)
            elif suffix == "parquet":
                frame.to_parquet(path)
            else:
                frame.to_csv(path, index=False)
            words += [f"--{name}", str(path)]
        return ["drift", *words]

    return write


def people(n, *, seed, older=0.0):
    rng = np.random.default_rng(seed)
    age = rng.normal(50 + older, 9, n).round(2)
    return pd.DataFrame({"age": age, "sex": rng.choice(["f", "m"], n)})


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_what_drifted_is_named_with_its_kind_of_change(say, pair, suffix):
    code, out, _ = say(
        *pair(people(400, seed=1), people(400, seed=2, older=9), suffix=suffix), "--json"
    )
    found = json.loads(out)
    assert (code, found["drifted"], found["n_current"]) == (0, True, 400)
    changed = {one["name"]: one["change"] for one in found["columns"] if one["drifted"]}
    assert changed == {"age": "location"}
    assert found["columns"][0]["psi"] > 0.3 > found["columns"][1]["psi"]


def test_drift_is_exit_code_1_only_where_one_asks_for_it(say, pair):
    drifted = pair(people(300, seed=1), people(300, seed=2, older=9))
    assert say(*drifted)[0] == 0
    assert say(*drifted, "--fail-on-drift")[0] == 1
    same = pair(people(300, seed=1), people(300, seed=2))
    assert say(*same, "--fail-on-drift")[0] == 0


def test_texts_are_found_and_their_new_words_and_campaigns_told(say, pair):
    usual = [m.text for m in generator.messages(300, seed=1)]
    other = [m.text for m in generator.messages(240, seed=2)]
    burst = [f"claim your moon token now, code {i}" for i in range(60)]
    frames = [
        pd.DataFrame({"sender": range(300), "said": texts}) for texts in (usual, other + burst)
    ]
    code, out, _ = say(*pair(*frames))
    assert code == 0
    assert "Text of said: " in out
    assert "campaign: 60 near-copies (20.0%)" in out
    found = json.loads(say(*pair(*frames), "--text", "said", "--json")[1])
    assert (found["text_column"], found["drifted"]) == ("said", True)
    assert say(*pair(*frames), "--text", "nothing")[2].startswith("pilothouse: There is no column")


def test_different_columns_dates_and_row_numbers_are_told_and_not_compared(say, pair):
    before = people(200, seed=1).assign(id=range(200), day="2030-01-01", old=1.0)
    now = people(200, seed=2).assign(id=range(200, 400), day="2030-02-01", new=1.0)
    code, out, _ = say(*pair(before, now), "--columns")
    assert code == 0
    assert "Lost columns, not compared: old." in out
    assert "New columns, not compared: new." in out
    assert "Dates and numbers of rows, not compared: id, day." in out
    assert "age" in out.split("not compared: new.")[1]
    code, _, err = say(*pair(before[["age"]], now[["sex"]]))
    assert (code, err) == (1, "pilothouse: The two files have no column in common.\n")


def test_what_cannot_be_told_has_an_exit_code_of_its_own(say, pair):
    lost = pair(people(200, seed=1), people(200, seed=2)[["age"]])
    assert say(*lost, "--fail-on-drift")[0] == 3
    code, out, _ = say(*pair(people(200, seed=1), people(1, seed=2)), "--fail-on-drift")
    assert (code, "No drift" in out) == (3, False)
    assert "Nothing can be concluded from 1 row of the current window." in out
    assert say(*lost)[0] == 0


def test_a_number_of_400_digits_is_a_number(say, tmp_path):
    (tmp_path / "a").write_text('{"a": 1' + "0" * 400 + "}\n" + '{"a": 2}\n' * 30)
    code, out, err = say(
        "drift", "--reference", str(tmp_path / "a"), "--current", str(tmp_path / "a")
    )
    assert (code, err, "No drift." in out) == (0, "", True)


def test_files_beside_a_model_are_refused_and_not_ignored(say, pair):
    words = pair(people(60, seed=1), people(60, seed=2))
    for extra in (["spam"], ["inject", "spam"]):
        code, out, err = say("drift", *extra, *words[1:])
        assert (code, out, "without a model" in err) == (2, "", True)
    assert say("drift", "spam", *words[3:])[0] == 2


def test_a_sample_of_many_rows_is_told(say, pair):
    code, out, _ = say(*pair(people(6000, seed=1), people(300, seed=2)))
    assert (code, "Of the reference's 6,000 rows 5,000 were drawn." in out) == (0, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"age,sex\n", "has column names, but no rows"),
        (b"\x00\x01\x02\x03" * 50, "is not text"),
        (b"PK\x03\x04zip", "is an archive or a spreadsheet"),
        (b"PAR1 nonsense", "is not a readable Parquet file"),
        (b'{"age": 1}\n{"age": \n', "line 2 is not JSON"),
        (b'{"age": [1]}\n', "an object of plain values"),
        (b"{" + b'"a":[' * 100_000 + b"\n", "line 1"),
        (b"age,age\n1,2\n", "names the column 'age' twice"),
    ],
)
def test_a_bad_file_is_one_clear_line(say, tmp_path, content, said):
    (tmp_path / "bad").write_bytes(content)
    files = ("--reference", str(tmp_path / "bad"), "--current", str(tmp_path / "bad"))
    code, out, err = say("drift", *files)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert said in err


def test_a_huge_file_is_refused_before_it_is_read(say, tmp_path):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate((two_files.MOST_MEGABYTES << 20) + 1)  # sparse: takes no room
    code, _, err = say("drift", "--reference", str(path), "--current", str(path))
    assert (code, "is larger than 500 MB" in err) == (1, True)


def test_the_same_file_twice_has_not_drifted(say, pair):
    same = people(150, seed=1)
    assert json.loads(say(*pair(same, same), "--json")[1])["drifted"] is False
