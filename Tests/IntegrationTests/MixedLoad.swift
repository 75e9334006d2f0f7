/// Lines for gateways that insert, update and replace at the same time, each on a series of its own, and what the series
/// must hold, by the naive model.
enum MixedLoad {
    /// By topic. A range can be continued by a later one.
    static func lines(_ range: Range<Int>, root: String) -> [String: [String]] {
        var lines: [String: [String]] = [:]
        for gateway in 0..<3 {
            lines["\(root)/1/insert\(gateway)"] = range.map { #"{"v": \#($0), "ts": "\#(stamp($0))"}"# }
        }
        // The same timestamps over and over: the last value stays.
        lines["\(root)/1/update"] = range.map {
            #"{"data": [{"v": \#($0), "ts": "\#(stamp($0 % 50))"}], "overwrite": "update_window"}"#
        }
        // Windows that overlap the one before by half: of each, its second point survives only in the last.
        lines["\(root)/1/replace"] = range.map {
            #"{"data": [{"v": \#($0), "ts": "\#(stamp($0))"}, {"v": -1, "ts": "\#(stamp($0 + 3))"}], "overwrite": "replace_window"}"#
        }
        return lines
    }

    /// By tag, after the lines of `0..<count`, a multiple of 50.
    static func expected(_ count: Int) -> [String: [Int64: Double]] {
        let inserted = Dictionary(uniqueKeysWithValues: (0..<count).map { (time(Int64($0)), Double($0)) })
        let updated = Dictionary(uniqueKeysWithValues: (0..<50).map { (time(Int64($0)), Double(count - 50 + $0)) })
        var replaced: [Int64: Double] = [:]
        for n in 0..<count {
            for second in n...n + 3 { replaced[time(Int64(second))] = nil }
            replaced[time(Int64(n))] = Double(n)
            replaced[time(Int64(n + 3))] = -1
        }
        return [
            "insert0": inserted, "insert1": inserted, "insert2": inserted, "update": updated, "replace": replaced,
        ]
    }
}

/// `ts` of second `n` after 2023-01-01T12:00:00Z, on that day.
func stamp(_ second: Int) -> String {
    let (minutes, seconds) = (second / 60, second % 60)
    func two(_ number: Int) -> Substring { String(100 + number).dropFirst() }
    return "2023-01-01T\(two(12 + minutes / 60)):\(two(minutes % 60)):\(two(seconds))Z"
}
