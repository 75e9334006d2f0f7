"""Sends what /openapi.json describes, and checks that what comes back is described there too.

usage: conforms.py URL SECRET
"""
import sys

import jsonschema
import requests

url, secret = sys.argv[1:]
description = requests.get(url + "/openapi.json").json()
assert description["openapi"].startswith("3.1."), description["openapi"]
seen = set()


def resolve(node):
    while "$ref" in node:
        target = node["$ref"]
        node = description
        for part in target.removeprefix("#/").split("/"):
            node = node[part]
    return node


def check(schema, value):
    # The schemas' own references start at the root of the description.
    jsonschema.Draft202012Validator({**schema, "components": description["components"]}).validate(value)


def send(method, expected, key=secret, path="/demo/api/v1/timeseries", **arguments):
    """Sends a request, and checks status, headers, type and body of the answer against the description."""
    headers = {"Authorization": f"Key {key}"} | arguments.pop("headers", {})
    reply = requests.request(method, url + path, headers=headers, **arguments)
    assert reply.status_code == expected, (method, path, arguments, reply.status_code, reply.text)
    operation = description["paths"]["/{domain}/api/v1/timeseries"]["get" if method == "GET" else "post"]
    answer = resolve(operation["responses"][str(expected)])
    seen.add((operation["operationId"], expected))
    for name in answer.get("headers", {}):
        assert name in reply.headers, (expected, name)
    contents = answer.get("content", {})
    if not contents:
        assert reply.content == b"", reply.content
    elif reply.content:
        media_type = reply.headers["Content-Type"]
        check(contents[media_type]["schema"], reply.json())
    return reply


# Every schema is one, and every example fits its own.
for schema in description["components"]["schemas"].values():
    jsonschema.Draft202012Validator.check_schema(schema)
write = description["paths"]["/{domain}/api/v1/timeseries"]["post"]
body = write["requestBody"]["content"]["application/json"]
for example in body["examples"].values():
    check(body["schema"], example["value"])
    for overwrite in next(p for p in write["parameters"] if p["name"] == "overwrite")["schema"]["enum"]:
        send("POST", 200, params={"overwrite": overwrite}, json=example["value"])
        send("POST", 204, params={"overwrite": overwrite, "silent": "true"}, json=example["value"])

read = description["paths"]["/{domain}/api/v1/timeseries"]["get"]
parameters = {p["name"]: p["example"] for p in read["parameters"]}
points = send("GET", 200, params=parameters).json()["timeseries"]
assert [len(series["data"]) for series in points] == [3], points
assert len(send("GET", 200, params={"node_id": 1}).json()["timeseries"]) == 1
window = {"start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"}
edit = {"node_id": 1, "tag": "outdoortemp", "data": [], "window": window}
check(body["schema"], [edit])
send("POST", 200, params={"overwrite": "replace_window"}, json=[edit])
assert send("GET", 200, params=parameters).json()["timeseries"][0]["data"] == []

# What the schema refuses, the server refuses.
point = {"v": 1, "ts": "2023-01-01T12:00:00Z"}
for bad in [
    [],
    {},
    [1],
    [{}],
    [{"node_id": 0, "tag": "t", "data": [point]}],
    [{"node_id": 2**63, "tag": "t", "data": [point]}],
    [{"node_id": "1", "tag": "t", "data": [point]}],
    [{"node_id": 1, "tag": "", "data": [point]}],
    [{"node_id": 1, "tag": "a/b", "data": [point]}],
    [{"node_id": 1, "tag": "t"}],
    [{"node_id": 1, "tag": "t", "data": [{"v": "1", "ts": "2023-01-01T12:00:00Z"}]}],
    [{"node_id": 1, "tag": "t", "data": [{"v": 1}]}],
    [{"node_id": 1, "tag": "t", "data": [point], "window": {"start": "2023-01-01T00:00:00Z"}}],
]:
    try:
        check(body["schema"], bad)
    except jsonschema.ValidationError:
        pass
    else:
        raise AssertionError(f"the schema takes {bad}")
    send("POST", 400, json=bad)

series = {"node_id": 1, "tag": "t", "data": [point]}
send("POST", 400, params={"overwrite": "replace"}, json=[series])
send("POST", 401, key="wrong", json=[series])
send("POST", 404, path="/other/api/v1/timeseries", json=[series])
send("PUT", 405, json=[series])
send("POST", 413, json=[{**series, "data": [point] * 30_000}])
send("POST", 414, params={"silent": "x" * 9000}, json=[series])
send("POST", 415, data="1,2", headers={"Content-Type": "text/csv"})
send("POST", 422, json=[{**series, "data": [{"v": 1, "ts": "1970-01-01T00:00:00Z"}]}])
send("POST", 431, headers={"X": "x" * 40_000}, json=[series])
send("GET", 400, params={"node_id": "x"})
send("GET", 401, key="wrong", params=parameters)
send("GET", 404, params={"node_id": 77})
send("GET", 414, params={"tag": "x" * 9000})
send("GET", 431, headers={"X": "x" * 40_000}, params=parameters)

described = {
    (operation["operationId"], int(status))
    for path in description["paths"].values()
    for operation in path.values()
    if isinstance(operation, dict) and "operationId" in operation and operation["operationId"] != "readDescription"
    for status in operation["responses"]
}
# These need a fault or a crowd; they have tests of their own.
elsewhere = {202, 408, 429, 500, 503}
missing = {pair for pair in described - seen if pair[1] not in elsewhere} - {("readTimeseries", 405)}
assert not missing, f"described and not tried: {missing}"
print(f"{len(seen)} answers are as described")
