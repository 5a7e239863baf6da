import json


def made(say, *more):
    _, out, _ = say("keys", "create", "--name", "shop", "--scope", "read", "--json", *more)
    return json.loads(out)


def test_a_key_gets_a_limit_and_the_list_shows_it(say):
    assert made(say, "--rate", "1200")["rate"] == 1200
    assert "1,200 a minute" in say("keys", "list")[1]


def test_a_key_without_a_limit_of_its_own_follows_the_settings(say):
    assert made(say)["rate"] is None
    assert "no limit (default)" in say("keys", "list")[1]


def test_a_limit_is_changed_and_given_back_to_the_settings(say):
    key_id = made(say, "--rate", "5")["id"]
    assert "70 a minute" in say("keys", "limit", key_id, "--rate", "70")[1]
    assert "default" in say("keys", "limit", key_id)[1]


def test_a_limit_that_makes_no_sense_is_one_clear_line(say):
    code, _, err = say("keys", "create", "--name", "x", "--scope", "read", "--rate", "-1")
    assert (code, err.count("\n")) == (1, 1)
    assert "requests a minute" in err
