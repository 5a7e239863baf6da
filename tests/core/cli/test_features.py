def test_a_feature_is_defined_listed_and_filled(say, tmp_path):
    made = say("features", "define", "spent", "--lookup-by", "customer", "--max-age-days", "30")
    assert made[:2] == (0, "spent@1: looked up by customer, at most 30 days old\n")
    file = tmp_path / "values.csv"
    file.write_text("feature,entity_id,at,value\nspent,c1,2025-12-01,5\n")
    assert say("features", "load", str(file))[1] == "1 values are new, 0 were known already.\n"
    assert "spent@1" in say("features", "list")[1]


def test_an_expression_names_its_inputs_with_their_types(say):
    code, out, _ = say(
        *("features", "define", "loud", "--expression", "len(title) * rate"),
        *("--input", "title:text", "--input", "rate"),
    )
    assert (code, out) == (0, "loud@1: len(title) * rate\n")


def test_a_feature_without_a_way_to_its_value_is_refused(say):
    code, _, err = say("features", "define", "nothing")
    assert (code, "--lookup-by" in err) == (1, True)


def test_a_file_that_is_not_there_is_one_line(say):
    assert say("features", "load", "nowhere.csv")[0] == 1


def test_the_functions_are_listed_with_what_they_do(say):
    assert "Count the words of a text" in say("features", "functions")[1]
