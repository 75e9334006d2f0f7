data = [
    {
        "node_id": 1,
        "tag": "outdoortemp",
        "data": [
            {"v": 12.3, "ts": "2023-01-01T12:00:00Z"}
        ],
    },
    {
        "node_id": 2,
        "tag": "outdoortemp",
        "data": [
            {"v": 0.5, "ts": "2023-01-01T12:00:00Z"}
        ],
    },
    {
        "node_id": "12345678-1234-1234-1234-123456789012",
        "tag": "outdoortemp",
        "data": [
            {"v": 12.3, "ts": "2023-01-01T12:00:00Z"}
        ],
    }
]
