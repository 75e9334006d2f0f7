import Benchmark
import LibPQ

@testable import Windrow

// What each message and each point passes on its way from the broker to PostgreSQL, a step at a time. One run does a thousand of what
// its name says; with --scale the figures are of one.

let benchmarks: @Sendable () -> Void = {
    Benchmark.defaultConfiguration = .init(
        metrics: [.wallClock, .throughput, .instructions], scalingFactor: .kilo, maxDuration: .seconds(2))

    for count in [1, 100] {
        Benchmark("decode a message of \(count)") { benchmark in
            let input = Input(messages: 1000, pointsPerMessage: count)
            let decoder = try Input.decoder()
            benchmark.startMeasurement()
            blackHole(try input.batch(by: decoder))
        }
    }

    Benchmark("read a timestamp") { benchmark in
        let texts = (0..<1000).map { Array("\(Input.time($0))".utf8) }
        benchmark.startMeasurement()
        for text in texts { blackHole(text.withUnsafeBytes { Timestamp(rfc3339: $0) }) }
    }

    Benchmark("find node and tag in a topic") { benchmark in
        let topics = Input(messages: 1000, pointsPerMessage: 1).messages.map(\.topic)
        let template = try TopicTemplate("nodes/{node}/{tag}")
        benchmark.startMeasurement()
        for topic in topics { topic.withUnsafeBytes { blackHole(template.match($0)?.node.count) } }
    }

    Benchmark("encode a record of 1 for the journal") { benchmark in
        let batch = try Input(messages: 1000, pointsPerMessage: 1).batch(by: Input.decoder())
        benchmark.startMeasurement()
        blackHole(batch.encoded())
    }

    Benchmark("decode a record of 1 from the journal") { benchmark in
        let body = try Input(messages: 1000, pointsPerMessage: 1).batch(by: Input.decoder()).encoded()
        benchmark.startMeasurement()
        blackHole(
            try body.withUnsafeBytes { (bytes) throws(RecordBatch.DecodingError) in try RecordBatch(encoded: bytes) })
    }

    for (name, step) in [("ascending", 1), ("in disorder", 381)] {
        Benchmark("fold a point, \(name)") { benchmark in
            let points = (0..<1000).map { Point(timestamp: Input.time($0 * step % 1000), value: Double($0)) }
            benchmark.startMeasurement()
            var window = PendingWindow()
            for place in points.indices { window.fold(.insert, points[place...place]) }
            window.settle()
            blackHole(window.points.count)
        }
    }

    Benchmark("encode a point for COPY") { benchmark in
        var buffer = CopyBuffer(capacity: 1000)
        benchmark.startMeasurement()
        for place in 0..<1000 {
            buffer.appendPoint(series: 7, microseconds: Input.time(place).microseconds, value: 12.5)
        }
        blackHole(buffer.rowCount)
    }
}

/// Messages as a broker hands them over.
private struct Input {
    let messages: [(topic: [UInt8], payload: [UInt8])]

    init(messages count: Int, pointsPerMessage: Int) {
        messages = (0..<count).map { message in
            let points = (0..<pointsPerMessage).map { #"{"v":\#($0).5,"ts":"\#(Self.time($0))"}"# }
                .joined(separator: ",")
            return (
                Array("nodes/\(message + 1)/outdoor-temperature".utf8),
                Array((pointsPerMessage == 1 ? points : "[\(points)]").utf8)
            )
        }
    }

    static func time(_ second: Int) -> Timestamp {
        Timestamp(microseconds: 1_672_574_400_000_000 + Int64(second) * 1_000_000)
    }

    static func decoder() throws -> MessageDecoder {
        MessageDecoder(
            subscriptions: [.init(template: try TopicTemplate("nodes/{node}/{tag}"), overwrite: .insert)],
            guards: Guards(oldest: .earliest, newestAhead: .max, replaceMaxSpan: .max))
    }

    func batch(by decoder: MessageDecoder) throws -> RecordBatch {
        var batch = RecordBatch()
        for (topic, payload) in messages {
            try topic.withUnsafeBytes { topic in
                try payload.withUnsafeBytes { payload in
                    _ = try decoder.decode(
                        topic: topic, payload: payload, overwriteProperty: nil, isRetained: false,
                        receivedAt: Self.time(0), into: &batch)
                }
            }
        }
        return batch
    }
}
