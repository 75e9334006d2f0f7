/// 2023-01-01T00:00:00Z and so many seconds, in RFC 3339; at most 31 days.
func stamp(_ second: Int) -> String {
    func two(_ number: Int) -> Substring { String(100 + number).dropFirst() }
    return
        "2023-01-\(two(1 + second / 86_400))T\(two(second / 3600 % 24)):\(two(second / 60 % 60)):\(two(second % 60))Z"
}
