@testable import Windrow

/// What a payload, or an element of a request, asks for, as `PayloadParser` and `RequestDecoder` describe it, read from a parsed
/// document in the plainest way.
struct NaiveEdit {
    /// The last value of each timestamp.
    private(set) var values: [Timestamp: Double] = [:]
    /// Those that a later one superseded included.
    private(set) var pointCount = 0
    private(set) var lacksTimestamp = false
    private(set) var overwrite: Overwrite?
    private(set) var window: TimeRange?

    var points: [Point] {
        values.map { Point(timestamp: $0.key, value: $0.value) }.sorted { $0.timestamp < $1.timestamp }
    }

    private var range: TimeRange? {
        guard let first = values.keys.min(), let last = values.keys.max() else { return window }
        return window ?? TimeRange(first: first, last: last)
    }

    /// How points are read.
    struct Rules {
        var epoch: EpochUnit?
        /// nil when each point must have a timestamp.
        var receivedAt: Timestamp?
    }

    /// A payload; nil when it has to be rejected.
    init?(payload json: NaiveJSON, _ rules: Rules) {
        switch json {
        case .number: guard add(value: json, timestamp: nil, rules) else { return nil }
        case .array(let items): guard items.allSatisfy({ add($0, rules) }) else { return nil }
        case .object:
            switch json["data"] {
            case .array(let items)?: guard json["v"] == nil, items.allSatisfy({ add($0, rules) }) else { return nil }
            case nil: guard add(json, rules) else { return nil }
            default: return nil
            }
            guard read(window: json["window"], rules), read(overwrite: json["overwrite"]) else { return nil }
        default: return nil
        }
    }

    /// An element of a request; nil when it has to be rejected.
    init?(element json: NaiveJSON) {
        let rules = Rules()
        guard case .array(let items)? = json["data"], json["overwrite"] == nil, items.allSatisfy({ add($0, rules) }),
            read(window: json["window"], rules)
        else { return nil }
    }

    /// What the edit does in a mode; nil when it has to be rejected.
    func action(_ mode: Overwrite, stream: StreamRule? = nil, _ guards: Guards, at now: Timestamp) -> EditAction? {
        guard let range, window == nil || mode == .replaceWindow else { return nil }
        let bounds = TimeRange(first: guards.oldest, last: guards.newest(at: now))
        guard values.keys.allSatisfy({ bounds.contains($0) && range.contains($0) }) else { return nil }
        switch mode {
        case .insert: return .insert
        case .updateWindow: return .update
        case .replaceWindow:
            guard bounds.contains(range.first), bounds.contains(range.last),
                range.last.microseconds - range.first.microseconds <= guards.replaceMaxSpan
            else { return nil }
            if window == nil, let stream { return .stream(stream) }
            return .replace(range)
        }
    }

    private mutating func add(_ json: NaiveJSON, _ rules: Rules) -> Bool {
        guard let value = json["v"] else { return false }
        return add(value: value, timestamp: json["ts"], rules)
    }

    private mutating func add(value: NaiveJSON, timestamp: NaiveJSON?, _ rules: Rules) -> Bool {
        guard case .number(let text) = value, let number = Double(text), number.isFinite else { return false }
        if timestamp == nil { lacksTimestamp = true }
        let moment = if let timestamp { Self.timestamp(timestamp, rules) } else { rules.receivedAt }
        guard let moment else { return false }
        values[moment] = number
        pointCount += 1
        return true
    }

    private mutating func read(window json: NaiveJSON?, _ rules: Rules) -> Bool {
        guard let json else { return true }
        guard let start = json["start"].flatMap({ Self.timestamp($0, rules) }),
            let end = json["end"].flatMap({ Self.timestamp($0, rules) }), start <= end
        else { return false }
        window = TimeRange(first: start, last: end)
        return true
    }

    private mutating func read(overwrite json: NaiveJSON?) -> Bool {
        guard let json else { return true }
        guard case .string(let text) = json,
            let mode = Overwrite.allCases.first(where: { sameBytes($0.rawValue, text) })
        else { return false }
        overwrite = mode
        return true
    }

    /// That these two are read right is what the target `timestamp` is for.
    private static func timestamp(_ json: NaiveJSON, _ rules: Rules) -> Timestamp? {
        switch json {
        case .string(let text): Timestamp(rfc3339: text)
        case .number(let text):
            rules.epoch.flatMap { unit in Array(text.utf8).withUnsafeBytes { Timestamp(epoch: $0, in: unit) } }
        default: nil
        }
    }
}
