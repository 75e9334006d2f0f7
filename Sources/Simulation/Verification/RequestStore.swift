import NIOCore
import NIOSSL

/// The points as Windrow's own GET gives them.
final class RequestStore: PointStore {
    private let target: RequestTarget
    private let tls: NIOSSLContext?
    private let loop: any EventLoop
    private var connection: RequestConnection?

    /// Points of an answer, at most, for its size.
    private static let slicePoints = 20_000
    private static let tries = 10

    init(_ target: RequestTarget, on loop: any EventLoop) throws(SimulationError) {
        self.target = target
        self.loop = loop
        tls = try target.makeTLSContext()
    }

    /// Makes sure that the server answers, takes the key and has the call.
    func probe(_ fleet: Fleet) throws(SimulationError) {
        // No series has the tag, so nothing is read.
        let answer = try get("?node_id=\(fleet.firstNode)&tag=sim0")
        let isUnknownNode = String(buffer: answer.body).contains(":unknown_node")
        guard answer.status == 200 || answer.status == 404 && isUnknownNode else {
            let hint =
                switch answer.status {
                case 401: "give the domain's key by --api-key-file or WINDROW_KEY"
                case 404:
                    "the address is that of a domain, such as \(target.address)/demo, and the domain needs a keys_file"
                default: "is this Windrow?"
                }
            throw SimulationError(
                .setup, "\(target.address)\(target.path) answers \(answer.status): \(answer.detail); \(hint)")
        }
    }

    func read(
        _ plan: Plan, gateway: Int, within range: ClosedRange<Int64>,
        _ body: (_ series: Int, _ time: Int64, _ value: Double) -> Void
    ) throws(SimulationError) {
        let live = Int64(Double(Self.slicePoints) * plan.spacing * 1000)
        let liveStart = plan.backfillTime(plan.backfillPoints)
        for series in 0..<plan.series {
            var from = range.lowerBound
            while from <= range.upperBound {
                let isOld = from < liveStart
                let step = isOld ? Int64(Self.slicePoints) * Plan.backfillSpacing * 1000 : live
                let end = min(from + step, range.upperBound + 1, isOld ? liveStart : .max)
                let query =
                    "?node_id=\(plan.node(gateway, series))&tag=\(plan.fleet.tagNames[plan.tag(series)])"
                    + "&start=\(DateText.string(from))&end=\(DateText.string(end))"
                let answer = try get(query)
                // A node that does not exist has nothing.
                if answer.status == 404 { break }
                guard answer.status == 200 else {
                    throw SimulationError(
                        .unreachable, "reading back: \(target.address) answers \(answer.status): \(answer.detail)")
                }
                var text = StoredText(answer.body.readableBytesView)
                while let point = text.next() { body(series, point.time, point.value) }
                from = end
            }
        }
    }

    /// Asks again while the server says that it cannot answer now.
    private func get(_ query: String) throws(SimulationError) -> Answer {
        var last: SimulationError?
        for attempt in 0..<Self.tries {
            do {
                let connection = try connection ?? RequestConnection.connect(target, tls, on: loop).wait()
                self.connection = connection
                let answer = try connection.send(.GET, query: query).wait()
                guard answer.status == 429 || answer.status >= 500 else { return answer }
                last = SimulationError(.unreachable, "\(target.address) answers \(answer.status): \(answer.detail)")
            } catch {
                let isFirst = connection == nil
                connection = nil
                last = explain(error, target)
                // The first connection tells whether there is anybody.
                if isFirst, attempt == 0, let last { throw last }
            }
            pause(milliseconds: 200)
        }
        throw last ?? SimulationError(.unreachable, "\(target.address) does not answer")
    }
}

/// Reads the points out of an answer of GET, `{"v":60.5,"ts":"2023-01-01T12:00:00Z"}` and so on.
struct StoredText {
    private let bytes: [UInt8]
    private var place = 0

    init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    mutating func next() -> (time: Int64, value: Double)? {
        guard skip(past: Self.value) else { return nil }
        let start = place
        guard skip(past: Self.time) else { return nil }
        let value = Double(String(decoding: bytes[start..<(place - Self.time.count)], as: UTF8.self))
        let text = place
        while place < bytes.count, bytes[place] != UInt8(ascii: "\"") { place += 1 }
        guard let value, let time = Self.microseconds(bytes[text..<place]) else { return nil }
        return (time, value)
    }

    private mutating func skip(past pattern: [UInt8]) -> Bool {
        while place + pattern.count <= bytes.count {
            if bytes[place] == pattern[0], bytes[place..<(place + pattern.count)].elementsEqual(pattern) {
                place += pattern.count
                return true
            }
            place += 1
        }
        return false
    }

    private static let value = Array(#"{"v":"#.utf8)
    private static let time = Array(#","ts":""#.utf8)

    /// Of a timestamp in UTC as Windrow writes it.
    static func microseconds(_ text: ArraySlice<UInt8>) -> Int64? {
        guard text.count >= 20, text.last == UInt8(ascii: "Z") else { return nil }
        func number(_ offset: Int, _ count: Int) -> Int64 {
            text.dropFirst(offset).prefix(count).reduce(0) { $0 * 10 + Int64($1) - 48 }
        }
        // Days since 1970-01-01 (H. Hinnant, chrono-compatible date algorithms).
        let (month, day) = (number(5, 2), number(8, 2))
        let year = number(0, 4) - (month <= 2 ? 1 : 0)
        let era = year / 400
        let yearOfEra = year - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        var fraction: Int64 = 0
        if text.count > 21 {
            let digits = min(text.count - 21, 6)
            fraction = number(20, digits)
            for _ in digits..<6 { fraction *= 10 }
        }
        return ((days * 24 + number(11, 2)) * 60 + number(14, 2)) * 60_000_000 + number(17, 2) * 1_000_000 + fraction
    }
}
