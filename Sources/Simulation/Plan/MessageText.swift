/// Writes messages as Windrow takes them. Keeps memory of the day that it wrote last, so each thread has its own.
struct MessageText {
    private let plan: Plan
    private let topic: TopicForm
    private let tags: [[UInt8]]
    private var date = DateText()

    init(_ plan: Plan, topic: TopicForm) {
        self.plan = plan
        self.topic = topic
        tags = plan.fleet.tagNames.map { Array($0.utf8) }
    }

    func topic(of message: Message, _ gateway: Int, to bytes: inout [UInt8]) {
        for part in topic.parts {
            switch part {
            case .text(let text): bytes += text
            case .node: bytes.append(decimal: plan.node(gateway, message.series))
            case .tag: bytes += tags[plan.tag(message.series)]
            }
        }
    }

    /// A payload for MQTT: a point, an array of points, or an envelope for points that overwrite.
    mutating func payload(of message: Message, _ gateway: Int, to bytes: inout [UInt8]) {
        if message.overwrites { bytes += Self.envelope }
        if message.count > 1 || message.overwrites { bytes.append(UInt8(ascii: "[")) }
        points(of: message, gateway, to: &bytes)
        if message.count > 1 || message.overwrites { bytes.append(UInt8(ascii: "]")) }
        if message.overwrites { bytes.append(UInt8(ascii: "}")) }
    }

    /// An element of a request's body.
    mutating func element(of message: Message, _ gateway: Int, to bytes: inout [UInt8]) {
        bytes += Self.node
        bytes.append(decimal: plan.node(gateway, message.series))
        bytes += Self.tag
        bytes += tags[plan.tag(message.series)]
        bytes += Self.data
        points(of: message, gateway, to: &bytes)
        bytes.append(UInt8(ascii: "]"))
        bytes.append(UInt8(ascii: "}"))
    }

    private mutating func points(of message: Message, _ gateway: Int, to bytes: inout [UInt8]) {
        let seed = plan.seed(gateway, message.series)
        for index in message.first..<(message.first + message.count) {
            if index > message.first { bytes.append(UInt8(ascii: ",")) }
            bytes += Self.value
            let hundredths = Plan.value(seed, message.isOld ? -1 - index : index, version: message.version)
            bytes.append(decimal: Int64(hundredths / 100))
            bytes.append(UInt8(ascii: "."))
            bytes.append(digits: hundredths % 100, 2)
            bytes += Self.time
            date.append(
                message.isOld ? plan.backfillTime(index) : plan.time(gateway, message.series, seed, index), to: &bytes)
            bytes.append(UInt8(ascii: "\""))
            bytes.append(UInt8(ascii: "}"))
        }
    }

    private static let envelope = Array(#"{"overwrite":"update_window","data":"#.utf8)
    private static let node = Array(#"{"node_id":"#.utf8)
    private static let tag = Array(#","tag":""#.utf8)
    private static let data = Array(#"","data":["#.utf8)
    private static let value = Array(#"{"v":"#.utf8)
    private static let time = Array(#","ts":""#.utf8)
}

/// A topic that names node and tag, such as `nodes/{node}/{tag}`.
public struct TopicForm: Sendable, Equatable {
    enum Part: Sendable, Equatable {
        case text([UInt8])
        case node, tag
    }

    let parts: [Part]

    /// - Throws: if node or tag is not a level of it, or it is no topic.
    public init(_ text: String) throws(FleetError) {
        let levels = text.split(separator: "/", omittingEmptySubsequences: false)
        guard levels.count(where: { $0 == "{node}" }) == 1, levels.count(where: { $0 == "{tag}" }) == 1,
            !text.contains("+"), !text.contains("#"), text.utf8.count <= 60_000
        else {
            throw FleetError(
                "--topic must name {node} and {tag} once each, as whole levels, such as nodes/{node}/{tag}")
        }
        var parts: [Part] = []
        for (place, level) in levels.enumerated() {
            let slash: [UInt8] = place == 0 ? [] : [UInt8(ascii: "/")]
            switch level {
            case "{node}": parts += [.text(slash), .node]
            case "{tag}": parts += [.text(slash), .tag]
            default: parts.append(.text(slash + level.utf8))
            }
        }
        self.parts = parts
    }
}

/// RFC 3339 with six decimals, in UTC.
struct DateText {
    private var day = Int64.min
    private var text: [UInt8] = []

    mutating func append(_ microseconds: Int64, to bytes: inout [UInt8]) {
        let perDay: Int64 = 86_400_000_000
        let day = microseconds >= 0 ? microseconds / perDay : (microseconds - perDay + 1) / perDay
        if day != self.day {
            self.day = day
            text = Self.date(day)
        }
        bytes += text
        let rest = Int(microseconds - day * perDay)
        bytes.append(digits: rest / 3_600_000_000, 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(digits: rest / 60_000_000 % 60, 2)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(digits: rest / 1_000_000 % 60, 2)
        bytes.append(UInt8(ascii: "."))
        bytes.append(digits: rest % 1_000_000, 6)
        bytes.append(UInt8(ascii: "Z"))
    }

    static func string(_ microseconds: Int64) -> String {
        var text = DateText()
        var bytes: [UInt8] = []
        text.append(microseconds, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The day of the Gregorian calendar that comes so many after 1970-01-01, with a T (H. Hinnant, chrono-compatible date algorithms).
    private static func date(_ day: Int64) -> [UInt8] {
        let z = day + 719_468
        let era = (z >= 0 ? z : z - 146_096) / 146_097
        let dayOfEra = z - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        var bytes: [UInt8] = []
        bytes.append(digits: Int(yearOfEra + era * 400 + (month >= 10 ? 1 : 0)), 4)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(digits: Int(month < 10 ? month + 3 : month - 9), 2)
        bytes.append(UInt8(ascii: "-"))
        bytes.append(digits: Int(dayOfYear - (153 * month + 2) / 5 + 1), 2)
        bytes.append(UInt8(ascii: "T"))
        return bytes
    }
}

extension [UInt8] {
    /// The last digits of a number, with zeros before it.
    @inline(__always)
    mutating func append(digits number: Int, _ count: Int) {
        var power = 1
        for _ in 1..<count { power *= 10 }
        var rest = number
        while power > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / power % 10))
            rest %= power
            power /= 10
        }
    }

    /// A number that is not negative.
    mutating func append(decimal number: Int64) {
        var power: Int64 = 1
        while number / power >= 10 { power *= 10 }
        var rest = number
        while power > 0 {
            append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest / power))
            rest %= power
            power /= 10
        }
    }
}
