import hashlib
import io
import zipfile

import httpx
import pytest

from core import specs
from core.datasets import sources
from core.errors import InvalidInputError
from core.settings import ROOT, Settings

SMS = (ROOT / "specs" / "sms_spam.yaml").read_text()
HEART = specs.parse((ROOT / "specs" / "heart_disease.yaml").read_text())
ROWS = 'ham\tI said "hi"\nspam\tWIN now\n'


def settings(tmp_path, **changes):
    return Settings(
        _env_file=None, home=tmp_path / "home", **{"data_dir": None, "offline": True, **changes}
    )


def spec(sha256="0" * 64):
    parsed = specs.parse(SMS)
    download = parsed.source.download.model_copy(update={"sha256": sha256})
    return parsed.model_copy(
        update={"source": parsed.source.model_copy(update={"download": download})}
    )


def archive(content, member="SMSSpamCollection"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr(member, content)
    return file.getvalue()


@pytest.fixture
def web(monkeypatch):
    """Answer every download with these bytes, or with an error."""

    def answer(content=b"", status=200, error=None):
        def handle(request):
            if error:
                raise error
            return httpx.Response(status, content=content)

        def stream(method, url, timeout):
            return httpx.Client(transport=httpx.MockTransport(handle)).stream(method, url)

        monkeypatch.setattr(httpx, "stream", stream)

    return answer


def test_the_real_messages_are_read_from_the_data_folder(real_data, tmp_path):
    loaded = sources.read(specs.parse(SMS), settings(tmp_path, data_dir=real_data))
    assert (
        loaded.sentence == "5,574 messages read from sms_spam/SMSSpamCollection in the data folder"
    )
    assert loaded.frame["label"].value_counts().to_dict() == {"ham": 4827, "spam": 747}


def test_the_real_patients_have_missing_values_not_question_marks(real_data, tmp_path):
    loaded = sources.read(HEART, settings(tmp_path, data_dir=real_data))
    assert len(loaded.frame) == 303
    assert loaded.frame[["ca", "thal"]].isna().sum().to_dict() == {"ca": 4, "thal": 2}


def test_quotes_inside_messages_are_kept(tmp_path):
    (tmp_path / "sms_spam").mkdir()
    (tmp_path / "sms_spam" / "SMSSpamCollection").write_text(ROWS)
    loaded = sources.read(specs.parse(SMS), settings(tmp_path, data_dir=tmp_path))
    assert loaded.frame["message"].tolist() == ['I said "hi"', "WIN now"]


def test_without_folder_and_network_messages_are_generated_and_the_sentence_says_so(tmp_path):
    loaded = sources.read(specs.parse(SMS), settings(tmp_path))
    assert (
        loaded.sentence
        == "5,000 generated messages (no PILOTHOUSE_DATA_DIR, offline): seeded, not real"
    )
    again = sources.read(specs.parse(SMS), settings(tmp_path))
    assert loaded.frame.equals(again.frame)


def test_what_scikit_learn_ships_needs_nothing(tmp_path):
    cancer = specs.parse((ROOT / "specs" / "breast_cancer.yaml").read_text())
    assert sources.read(cancer, settings(tmp_path)).sentence.startswith(
        "569 samples of scikit-learn"
    )


def test_a_download_is_checked_kept_and_used_again(tmp_path, web):
    web(archive(ROWS))
    checked = spec(hashlib.sha256(ROWS.encode()).hexdigest())
    loaded = sources.read(checked, settings(tmp_path, offline=False))
    assert loaded.sentence == (
        "2 messages downloaded from archive.ics.uci.edu (no PILOTHOUSE_DATA_DIR), checksum verified"
    )
    assert (
        "downloaded from archive.ics.uci.edu before"
        in sources.read(checked, settings(tmp_path)).sentence
    )


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"content": archive("ham\tother rows\n")}, "not the expected one (checksum)"),
        ({"content": archive(ROWS, member="readme.txt")}, "no readable SMSSpamCollection"),
        ({"content": b"<html>blocked</html>"}, "no readable SMSSpamCollection"),
        ({"status": 503}, "the download answered 503"),
        ({"status": 302}, "the download answered 302"),
        ({"error": httpx.ConnectTimeout("slow")}, "the download failed (ConnectTimeout)"),
    ],
)
def test_a_failed_download_falls_through_with_its_reason(tmp_path, web, answer, reason):
    web(**answer)
    sentence = sources.read(spec(), settings(tmp_path, offline=False)).sentence
    assert sentence.startswith("5,000 generated messages")
    assert reason in sentence


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "is not in the data folder"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"", "the file is empty"),
    ],
)
def test_a_bad_file_in_the_folder_falls_through_with_its_reason(tmp_path, content, reason):
    if content is not None:
        (tmp_path / "sms_spam").mkdir()
        (tmp_path / "sms_spam" / "SMSSpamCollection").write_bytes(content)
    sentence = sources.read(specs.parse(SMS), settings(tmp_path, data_dir=tmp_path)).sentence
    assert sentence.startswith("5,000 generated messages")
    assert reason in sentence


def test_a_link_out_of_the_data_folder_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text(ROWS)
    folder = tmp_path / "data"
    (folder / "sms_spam").mkdir(parents=True)
    (folder / "sms_spam" / "SMSSpamCollection").symlink_to(tmp_path / "secret")
    assert (
        "is not in the data folder"
        in sources.read(specs.parse(SMS), settings(tmp_path, data_dir=folder)).sentence
    )


def test_when_no_source_answers_the_refusal_says_what_to_do(tmp_path):
    with pytest.raises(
        InvalidInputError, match="no PILOTHOUSE_DATA_DIR; offline.*or upload a file"
    ):
        sources.read(HEART, settings(tmp_path))
