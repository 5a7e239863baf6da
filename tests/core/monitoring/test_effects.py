import json

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.spatial.distance import jensenshannon

from core.access import system
from core.datasets import versions
from core.errors import NotFoundError
from core.monitoring import effects, reference


def table(n, seed, moved=0.0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "income": np.exp(rng.normal(moved, 1, n)),
            "age": rng.poisson(40 + 5 * moved, n),
            "vessels": rng.poisson(1 + moved, n),
            "pain": rng.choice(list("abcd"), n, p=[0.1, 0.2, 0.3, 0.4]),
        }
    )


BEFORE, NOW = table(1200, 1), table(700, 2, moved=0.3)


def found(before, now):
    return {one.name: one for one in effects.against(reference.of(before), now)}


@pytest.mark.parametrize("name", ["income", "age", "vessels"])
@pytest.mark.parametrize("now", [NOW, table(1200, 3)], ids=["fewer rows", "as many rows"])
def test_distances_of_numbers_are_those_of_scipy(name, now):
    effect = found(BEFORE, now)[name]
    far = stats.wasserstein_distance(BEFORE[name], now[name]) / BEFORE[name].std(ddof=0)

    assert effect.wasserstein == pytest.approx(far, abs=1e-9)
    assert effect.ks == pytest.approx(stats.ks_2samp(BEFORE[name], now[name]).statistic, abs=1e-9)


def test_binned_distances_are_those_of_scipy_on_sturges_bins():
    both = np.concatenate([BEFORE["income"], NOW["income"]])
    edges = np.histogram_bin_edges(both, bins="sturges")
    p, q = (np.histogram(part["income"], edges)[0] / len(part) for part in (BEFORE, NOW))
    assert found(BEFORE, NOW)["income"].jensen_shannon == pytest.approx(jensenshannon(p, q))


def test_distances_of_levels_are_those_of_their_shares():
    p, q = (part["pain"].value_counts(normalize=True).sort_index() for part in (BEFORE, NOW))
    effect = found(BEFORE, NOW)["pain"]

    assert effect.jensen_shannon == pytest.approx(jensenshannon(p, q))
    assert effect.psi == pytest.approx(((q - p) * np.log(q / p)).sum())
    assert (effect.wasserstein, effect.ks) == (None, None)


def counted(n, factor, modulus):
    squares = pd.Series(range(n)) ** 2 * factor
    wide, word = squares % modulus / 7, (squares % 7).map(str)
    return pd.DataFrame({"wide": wide, "few": squares % 5, "word": word})


@pytest.mark.parametrize(
    ("name", "psi", "jensen_shannon", "wasserstein"),
    [
        ("wide", 0.200469, 0.154455, 0.168960),
        ("few", 13.267162, 0.744659, 0.478091),
        ("word", 13.605945, 0.770023, None),
    ],
)
def test_figures_are_those_of_evidently(name, psi, jensen_shannon, wasserstein):
    """Values of psi, jensenshannon and wasserstein of evidently 0.7.23 on the same rows."""
    effect = found(counted(300, 1, 101), counted(240, 3, 113))[name]
    assert effect.psi == pytest.approx(psi, abs=1e-5)
    assert effect.jensen_shannon == pytest.approx(jensen_shannon, abs=1e-5)
    assert effect.wasserstein == pytest.approx(wasserstein, abs=1e-5)


def test_nothing_changes_where_nothing_changed():
    for effect in found(BEFORE, BEFORE).values():
        assert effect.psi == effect.ks or effect.ks is None
        assert effect.jensen_shannon == pytest.approx(0, abs=1e-7)


def test_the_order_of_rows_does_not_matter():
    mixed = found(BEFORE.sample(frac=1, random_state=1), NOW.sample(frac=1, random_state=2))
    for name, effect in found(BEFORE, NOW).items():
        assert mixed[name].psi == pytest.approx(effect.psi)
        assert mixed[name].wasserstein == effect.wasserstein


def test_an_empty_bin_counts_as_a_ten_thousandth():
    effect = found(pd.DataFrame({"a": ["x", "y"]}), pd.DataFrame({"a": ["x", "x"]}))["a"]
    assert effect.psi == pytest.approx(0.5 * np.log(2) + (0.5 - 1e-4) * np.log(0.5 / 1e-4))


def test_values_that_are_missing_or_infinite_are_left_out_and_told():
    holes = NOW.assign(income=NOW["income"].mask(NOW.index < 70), age=NOW["age"].astype(float))
    holes.loc[0, "age"] = np.inf
    effects_of = found(BEFORE, holes)

    assert effects_of["income"].missing_current == pytest.approx(0.1)
    assert effects_of["age"].missing_current == pytest.approx(1 / 700)
    far = stats.wasserstein_distance(BEFORE["income"], holes["income"].dropna())
    assert effects_of["income"].wasserstein == pytest.approx(far / BEFORE["income"].std(ddof=0))


@pytest.mark.parametrize(
    "now",
    [
        NOW[["pain"]],
        NOW.assign(income=np.nan, age=None, vessels=np.nan),
        NOW.head(0),
    ],
    ids=["column lost", "all missing", "empty"],
)
def test_a_column_without_values_has_no_distances(now):
    effect = found(BEFORE, now)["income"]
    assert (effect.psi, effect.wasserstein, effect.ks) == (None, None, None)
    assert effect.missing_current == 1


def test_words_among_numbers_count_as_missing():
    now = NOW.assign(income=["oops"] * 7 + NOW["income"].tolist()[7:])
    assert found(BEFORE, now)["income"].missing_current == pytest.approx(0.01)


@pytest.mark.parametrize("now", [[7.0] * 30, [8.0] * 30])
def test_a_constant_column_is_no_fault(now):
    effect = found(pd.DataFrame({"a": [7.0] * 50}), pd.DataFrame({"a": now}))["a"]
    assert effect.ks == (now[0] != 7.0)
    assert effect.wasserstein == pytest.approx((now[0] - 7) / 0.001)


@pytest.fixture
def stored(db, settings):
    digest = versions.write(settings, BEFORE)
    with db.command(system("worker"), "dataset.load") as command:
        kept = {"role": "reference", "frame": BEFORE, "digest": digest, "source": "test"}
        return versions.add(command, model="heart", **kept)


def kept_file(settings, stored):
    return settings.folder("datasets") / f"{stored.digest}.statistics"


def test_statistics_are_kept_beside_the_data_and_read_without_it(settings, stored):
    made = reference.of_dataset(settings, stored)
    (settings.folder("datasets") / f"{stored.digest}.parquet").unlink()
    again = reference.of_dataset(settings, stored)

    assert effects.against(again, NOW) == effects.against(made, NOW)
    assert effects.against(made, NOW) == effects.against(reference.of(BEFORE), NOW)


def damage(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def mistake(path):
    head, _, body = path.read_bytes().partition(b"\n")
    told = json.loads(head)
    told["told"] = told["told"].replace('"n_rows": 1200', '"n_rows": 12')
    path.write_bytes(json.dumps(told).encode() + b"\n" + body)


@pytest.mark.parametrize(
    "harm",
    [damage, mistake, lambda path: path.write_bytes(b"{}\n"), lambda path: path.write_bytes(b"")],
)
def test_a_damaged_file_is_made_anew(settings, stored, harm):
    made = reference.of_dataset(settings, stored)
    harm(kept_file(settings, stored))

    assert effects.against(reference.of_dataset(settings, stored), NOW) == effects.against(
        made, NOW
    )


def test_statistics_of_another_data_set_are_not_taken(settings, stored):
    other = versions.write(settings, NOW)
    reference.of_dataset(settings, stored)
    kept_file(settings, stored).rename(settings.folder("datasets") / f"{other}.statistics")
    stored.digest = other
    assert reference.of_dataset(settings, stored).n_rows == len(NOW)


def test_without_statistics_and_without_rows_the_reason_is_told(settings, stored):
    (settings.folder("datasets") / f"{stored.digest}.parquet").unlink()
    with pytest.raises(NotFoundError, match="no longer in the data folder"):
        reference.of_dataset(settings, stored)
