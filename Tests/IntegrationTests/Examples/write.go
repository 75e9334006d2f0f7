package main

import (
    "bytes"
    "encoding/json"
    "fmt"
    "net/http"
)

func main() {
    domain := "demo"
    secret := "demo-secret"
    headers := map[string]string{
        "Authorization": "Key " + secret,
        "Content-Type":  "application/json",
    }
    params := "silent=true" // 204 No Content
    url := fmt.Sprintf("https://windrow.example/%s/api/v1/timeseries?%s", domain, params)

    data := []map[string]interface{}{
        {
            "node_id": 1,
            "tag":     "outdoortemp",
            "data": []map[string]interface{}{
                {"v": 12.3, "ts": "2023-01-01T12:00:00Z"},
                {"v": 12.4, "ts": "2023-01-01T12:10:00Z"},
                {"v": 12.5, "ts": "2023-01-01T12:20:00Z"},
            },
        },
    }

    dataBytes, err := json.Marshal(data)
    if err != nil {
        panic(err)
    }

    req, err := http.NewRequest("POST", url, bytes.NewBuffer(dataBytes))
    if err != nil {
        panic(err)
    }

    for key, value := range headers {
        req.Header.Set(key, value)
    }

    client := &http.Client{}
    resp, err := client.Do(req)
    if err != nil {
        panic(err)
    }
    defer resp.Body.Close()

    if resp.StatusCode == 204 {
        fmt.Println("OK")
    } else {
        fmt.Println("Error")
    }
}
