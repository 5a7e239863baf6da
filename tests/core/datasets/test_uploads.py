import gzip
import io
import zipfile

import pandas as pd
import pytest

from core import specs
from core.datasets import uploads
from core.errors import InvalidInputError, TooLargeError
from core.settings import Settings

SETTINGS = Settings(_env_file=None, max_upload_mb=1)
TABLE = "age,sex,outcome\n" + "".join(
    f"{20 + i % 50},{'mf'[i % 2]},{'yn'[i % 3 > 0]}\n" for i in range(200)
)


def read(content, name="data.csv"):
    return uploads.read(name, content if isinstance(content, bytes) else content.encode(), SETTINGS)


def parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file)
    return file.getvalue()


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("data.csv", TABLE)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n \n", "is empty"),
        (b"age,sex\n", "no rows"),
        (b"\x7fELF\x02\x01\x01\x00" * 50, "is not text"),
        (bytes(range(1, 32)) * 20, "is not text"),
        (zipped(), "is an archive"),
        (gzip.compress(TABLE.encode()), "is an archive"),
        (b"age,age\n1,2\n", "names the column 'age' twice"),
        (b"age,,sex\n1,2,3\n", "without a usable name"),
        (b"a,b\n1,2\n1,2,3,4\n", "line 3 has 4 fields, but the header names 2"),
        (b"a,b\n1,2,3\n4,5,6\n", "line 2 has 3 fields, but the header names 2"),
        (b'a,b,,\n1,"x\ny",,\n1,2,3,\n', "line 4 has 4 fields, but the header names 2"),
        (b'a,b\n"1,2\n', "not a readable CSV"),
        (b"PAR1 and then rubbish", "not a readable Parquet"),
        (parquet(pd.DataFrame({"a": [1]}))[:-20], "not a readable Parquet"),
        (parquet(pd.DataFrame({"a": [[1, 2]]})), "column 'a' holds list"),
        (parquet(pd.DataFrame({"a": [b"\x00"]})), "column 'a' holds binary"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_in_words(content, sentence):
    with pytest.raises(InvalidInputError) as refused:
        read(content)
    assert sentence in str(refused.value)
    assert str(refused.value).startswith("data.csv")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a\n" + b"1\n" * (1 << 20), "larger than 1 MB"),
        (
            ",".join(f"c{i}" for i in range(501)) + "\n" + "1," * 500 + "1\n",
            "501 columns; at most 500 can be read",
        ),
        (parquet(pd.DataFrame({"a": [1] * 1_000_001})), "more than 1,000,000 rows"),
    ],
)
def test_a_file_beyond_a_bound_is_too_large(content, sentence):
    with pytest.raises(TooLargeError, match=sentence):
        read(content)


def test_a_small_parquet_file_that_unpacks_to_very_much_is_refused(monkeypatch):
    monkeypatch.setattr(uploads, "MOST_DECODED_BYTES", 8 << 20)
    bomb = parquet(pd.DataFrame({"a": ["x" * 100_000] * 100}))
    assert len(bomb) < 1 << 20
    with pytest.raises(TooLargeError, match="unpacks to more than 8 MB"):
        read(bomb)


def test_a_path_in_the_name_is_not_repeated():
    with pytest.raises(InvalidInputError, match=r"^data\.csv is empty"):
        read(b"", name="../../secret/data.csv")


def test_the_same_rows_are_the_same_from_csv_and_parquet():
    frame = read(TABLE)
    assert frame.equals(read(parquet(frame), name="data.parquet"))
    assert frame.dtypes["age"] == "float64"


def test_windows_files_and_semicolons_are_understood():
    frame = read("naïve;größe\r\nja;1\r\nnein;2\r\n".encode("cp1252"))
    assert list(frame.columns) == ["naïve", "größe"]
    assert frame["größe"].tolist() == [1.0, 2.0]


def test_question_marks_are_missing_among_numbers_but_not_among_words():
    frame = read("a,b\n1,?\n?,yes\n3,NA\n")
    assert frame["a"].isna().sum() == 1
    assert frame["b"].tolist() == ["?", "yes", "NA"]


def test_numbers_with_leading_zeros_stay_text():
    assert read("code,n\n0041,1\n0042,2\n")["code"].tolist() == ["0041", "0042"]


def test_a_table_yields_a_tabular_spec_with_inferred_types():
    spec = specs.parse(uploads.spec_for("My Data 2!", read(TABLE), target="outcome", positive="y"))
    assert (spec.name, spec.task, spec.target.negative) == ("my_data_2", "tabular", "n")
    assert [(f.name, f.type) for f in spec.input.features] == [
        ("age", "numeric"),
        ("sex", "category"),
    ]


def test_an_inferred_type_can_be_corrected():
    text = uploads.spec_for(
        "m", read(TABLE), target="outcome", positive="y", types={"age": "category", "sex": "ignore"}
    )
    assert [(f.name, f.type) for f in specs.parse(text).input.features] == [("age", "category")]


def test_a_column_of_sentences_yields_a_text_spec():
    rows = "".join(f"please call me back at {i} today,{'ab'[i % 2]}\n" for i in range(80))
    spec = specs.parse(
        uploads.spec_for("m", read("said,kind\n" + rows), target="kind", positive="a")
    )
    assert (spec.task, spec.input.text) == ("text", "said")


@pytest.mark.parametrize("types", [{"sex": "text"}, {"age": "text", "sex": "text"}])
def test_texts_beside_other_columns_yield_a_table_that_reads_them_all(types):
    text = uploads.spec_for("m", read(TABLE), target="outcome", positive="y", types=types)
    spec = specs.parse(text)
    found = {feature.name: feature.type for feature in spec.input.features}
    assert (spec.task, found) == ("tabular", {"age": "numeric", "sex": "category", **types})
    kinds = [candidate.kind for candidate in spec.candidates]
    assert kinds == ["logistic_regression", "lightgbm", "random_forest"]


def test_three_classes_become_one_against_the_rest():
    frame = read("x,y\n" + "".join(f"{i},{'abc'[i % 3]}\n" for i in range(90)))
    target = specs.parse(uploads.spec_for("m", frame, target="y", positive="b")).target
    assert (target.positive, target.negative, target.rest) == ("b", "not b", True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"target": "none"}, "no column 'none' to predict"),
        ({"positive": "maybe"}, "never says 'maybe'; it says n, y"),
        ({"target": "one", "positive": "1"}, "one class only"),
        ({"target": "many", "positive": "0"}, "at most 50 classes"),
        ({"types": {"absent": "text"}}, "no column 'absent'"),
        ({"types": {"age": "date"}}, "'date' is no type"),
        ({"types": {"sex": "numeric"}}, "Column sex should hold numbers"),
        ({"types": dict.fromkeys(("age", "sex", "one", "many"), "ignore")}, "No column is left"),
        ({"name": "!!!"}, "at least one letter"),
    ],
)
def test_a_spec_that_cannot_be_made_is_refused_in_words(changes, sentence):
    frame = read(TABLE).assign(one="1", many=range(200))
    arguments = {"name": "m", "target": "outcome", "positive": "y", **changes}
    with pytest.raises(InvalidInputError) as refused:
        uploads.spec_for(arguments.pop("name"), frame, **arguments)
    assert sentence in str(refused.value)
