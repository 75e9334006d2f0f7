import requests

domain = "demo"
secret = "demo-secret"
header = {
    "Authorization": f"Key {secret}",
    "Content-Type": "application/json",
}
params = {"silent": "true"}    # 204 No Content
url = f"https://windrow.example/{domain}/api/v1/timeseries"

data = [
    {
        "node_id": 1,
        "tag": "outdoortemp",
        "data": [
            {"v": 12.3, "ts": "2023-01-01T12:00:00Z"},
            {"v": 12.4, "ts": "2023-01-01T12:10:00Z"},
            {"v": 12.5, "ts": "2023-01-01T12:20:00Z"},
        ],
    }
]

reply = requests.post(url, headers=header, params=params, json=data)
if reply.status_code == 204:
    print("OK")
else:
    print("Error")
