from core import features


def test_values_are_loaded_once_by_an_operator_and_refused_with_the_row(client, secrets, db, ana):
    features.define(db, ana, "spent", type="numeric", how="lookup", entity="customer")
    good = {"feature": "spent", "entity_id": "c1", "at": "2029-12-01T00:00:00Z", "value": 5}
    head = {"X-API-Key": secrets["operate"]}
    path = "/api/v1/features/values"
    assert client.post(path, json={"values": [good]}, headers=head).json() == {"new": 1, "known": 0}
    assert client.post(path, json={"values": [good]}, headers=head).json() == {"new": 0, "known": 1}
    answer = client.post(path, json={"values": [good, {**good, "value": "much"}]}, headers=head)
    assert (answer.status_code, "Row 2" in answer.json()["detail"]) == (422, True)


def test_features_are_listed_in_words(client, secrets, db, ana):
    features.define(db, ana, "spent", type="numeric", how="lookup", entity="customer")
    answer = client.get("/api/v1/features", headers={"X-API-Key": secrets["read"]})
    (row,) = answer.json()["features"]
    assert (row["name"], row["words"]) == ("spent@1", "looked up by customer")
