import NIOCore
import Testing

@testable import Windrow

private let now = Timestamp(rfc3339: "2023-06-01T00:00:00Z")!
private let guards = Guards(
    oldest: Timestamp(rfc3339: "1990-01-01T00:00:00Z")!, newestAhead: 400 * 86_400_000_000,
    replaceMaxSpan: 10 * 86_400_000_000)

private func decode(_ body: String, _ overwrite: Overwrite = .insert) throws(Rejection) -> DecodedRequest {
    try decode(Array(body.utf8), overwrite)
}

private func decode(_ body: [UInt8], _ overwrite: Overwrite = .insert) throws(Rejection) -> DecodedRequest {
    let decoder = RequestDecoder()
    var bytes = body + [UInt8](repeating: 0xFF, count: JSONTokens.padding)
    let result = bytes.withUnsafeMutableBytes { bytes in
        Result { () throws(Rejection) in try decoder.decode(bytes, overwrite: overwrite, guards: guards, at: now) }
    }
    return try result.get()
}

private func sample(_ text: String, _ value: Double) -> Point {
    Point(timestamp: Timestamp(rfc3339: text)!, value: value)
}

@Suite struct RequestDecoderTests {
    @Test("the elements of a request are one record, each an edit of its own, in their order")
    func elements() throws {
        let uuid = "12345678-1234-1234-1234-123456789012"
        let request = try decode(
            """
            [{"node_id": 1, "tag": "outdoortemp", "data": [{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}]},
             {"node_id": 2, "tag": "outdoortemp", "data": [{"v": 0.5, "ts": "2023-01-01T12:10:00+02:00"}]},
             {"node_id": "\(uuid)", "tag": "a\\u00e9", "data": [
                {"v": 2, "ts": "2023-01-01T12:00:01Z"}, {"v": 1, "ts": "2023-01-01T12:00:00Z"}]},
             {"node_id": 1, "tag": "outdoortemp", "data": [{"v": 9, "ts": "2023-01-01T12:00:00Z"}], "more": {}}]
            """)
        let batch = request.batch
        #expect(batch.recordCount == 1)
        #expect(batch.edits.map(\.action) == [.insert, .insert, .insert, .insert])
        #expect(
            batch.edits.map { batch.series[Int($0.series)].description } == [
                "1/outdoortemp", "2/outdoortemp", "\(uuid)/aé", "1/outdoortemp",
            ])
        #expect(Array(batch.points[batch.edits[1].points]) == [sample("2023-01-01T10:10:00Z", 0.5)])
        #expect(
            Array(batch.points[batch.edits[2].points]) == [
                sample("2023-01-01T12:00:00Z", 1), sample("2023-01-01T12:00:01Z", 2),
            ])
        #expect(request.elements.map(\.points) == [1, 1, 2, 1])
        #expect(request.elements[2].range.span == 1_000_000)
    }

    @Test("the query states the mode of every element; its window is its own, or the one it gives")
    func windows() throws {
        let body = """
            [{"node_id": 1, "tag": "a", "data": [{"v": 1, "ts": "2023-01-01T12:00:00Z"}, {"v": 2, "ts": "2023-01-01T12:10:00Z"}]},
             {"node_id": 1, "tag": "b", "data": [{"v": 1, "ts": "2023-01-02T12:00:00Z"}]}]
            """
        func range(_ first: String, _ last: String) -> EditAction {
            .replace(TimeRange(first: Timestamp(rfc3339: first)!, last: Timestamp(rfc3339: last)!))
        }
        #expect(try decode(body, .updateWindow).batch.edits.map(\.action) == [.update, .update])
        #expect(
            try decode(body, .replaceWindow).batch.edits.map(\.action) == [
                range("2023-01-01T12:00:00Z", "2023-01-01T12:10:00Z"),
                range("2023-01-02T12:00:00Z", "2023-01-02T12:00:00Z"),
            ])
        let explicit =
            #"[{"node_id": 1, "tag": "a", "window": {"start": "2023-01-01T00:00:00Z", "end": "2023-01-02T00:00:00Z"}, "data": []}]"#
        let request = try decode(explicit, .replaceWindow)
        #expect(request.batch.edits.map(\.action) == [range("2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z")])
        #expect(request.elements.map(\.points) == [0])
    }

    struct Bad: CustomTestStringConvertible, Sendable {
        var body: String
        var reason: Rejection.Reason
        var pointer: String?
        var overwrite = Overwrite.insert
        var testDescription: String { body }
    }

    private static let good = #"{"v": 1, "ts": "2023-01-01T12:00:00Z"}"#
    private static func element(
        node: String = "1", tag: String = "\"t\"", data: String = "[\(good)]", more: String = ""
    ) -> String {
        "{\"node_id\": \(node), \"tag\": \(tag), \"data\": \(data)\(more)}"
    }

    static let bad: [Bad] = [
        Bad(body: "", reason: .emptyPayload),
        Bad(body: "  ", reason: .emptyPayload),
        Bad(body: "[{]", reason: .malformedJSON),
        Bad(body: "[\(element())", reason: .malformedJSON),
        Bad(body: "{}", reason: .wrongShape, pointer: ""),
        Bad(body: "12", reason: .wrongShape, pointer: ""),
        Bad(body: "null", reason: .wrongShape, pointer: ""),
        Bad(body: element(), reason: .wrongShape, pointer: ""),
        Bad(body: "[]", reason: .wrongShape, pointer: ""),
        Bad(body: "[1]", reason: .wrongShape, pointer: "/0"),
        Bad(body: "[\(element()), []]", reason: .wrongShape, pointer: "/1"),
        Bad(body: "[{}]", reason: .badNode, pointer: "/0"),
        Bad(body: "[\(element(node: "0"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "-1"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "1.0"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "1e3"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "9223372036854775808"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "\"1\""))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(
            body: "[\(element(node: "\"12345678-1234-1234-1234-12345678901\""))]", reason: .badNode,
            pointer: "/0/node_id"),
        Bad(body: "[\(element(node: "null"))]", reason: .badNode, pointer: "/0/node_id"),
        Bad(body: "[\(element()), {\"node_id\": 1, \"data\": []}]", reason: .badTag, pointer: "/1"),
        Bad(body: "[\(element(tag: "\"\""))]", reason: .badTag, pointer: "/0/tag"),
        Bad(body: "[\(element(tag: "\"a/b\""))]", reason: .badTag, pointer: "/0/tag"),
        Bad(body: "[\(element(tag: "\"a\\u0007\""))]", reason: .badTag, pointer: "/0/tag"),
        Bad(body: "[\(element(tag: "7"))]", reason: .badTag, pointer: "/0/tag"),
        Bad(body: "[{\"node_id\": 1, \"tag\": \"t\"}]", reason: .wrongShape, pointer: "/0"),
        Bad(body: "[\(element(data: "{}"))]", reason: .wrongShape, pointer: "/0/data"),
        Bad(body: "[\(element(data: "[]"))]", reason: .wrongShape, pointer: "/0/data"),
        Bad(body: "[\(element(data: "[]"))]", reason: .wrongShape, pointer: "/0/data", overwrite: .replaceWindow),
        Bad(body: "[\(element(data: "[\(good), 1]"))]", reason: .wrongShape, pointer: "/0/data/1"),
        Bad(
            body: "[\(element(data: "[{\"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue, pointer: "/0/data/0"),
        Bad(
            body: "[\(element(data: "[{\"v\": null, \"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue,
            pointer: "/0/data/0/v"),
        Bad(
            body: "[\(element(data: "[{\"v\": \"1\", \"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue,
            pointer: "/0/data/0/v"),
        Bad(
            body: "[\(element(data: "[{\"v\": true, \"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue,
            pointer: "/0/data/0/v"),
        Bad(
            body: "[\(element(data: "[{\"v\": 1e999, \"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue,
            pointer: "/0/data/0/v"),
        Bad(body: "[\(element(data: "[{\"v\": NaN, \"ts\": \"2023-01-01T12:00:00Z\"}]"))]", reason: .badValue),
        Bad(body: "[\(element(data: "[\(good), {\"v\": 1}]"))]", reason: .badTimestamp, pointer: "/0/data/1"),
        Bad(
            body: "[\(element(data: "[\(good), \(good), {\"v\": 1, \"ts\": \"2023-01-01\"}]"))]", reason: .badTimestamp,
            pointer: "/0/data/2/ts"),
        Bad(
            body: "[\(element(data: "[{\"v\": 1, \"ts\": 1672574400}]"))]", reason: .badTimestamp,
            pointer: "/0/data/0/ts"),
        Bad(body: "[\(element(data: "[{\"v\": 1, \"ts\": null}]"))]", reason: .badTimestamp, pointer: "/0/data/0/ts"),
        Bad(
            body: "[\(element(more: ", \"overwrite\": \"replace_window\""))]", reason: .badOverwrite,
            pointer: "/0/overwrite"),
        Bad(
            body:
                "[\(element(more: ", \"window\": {\"start\": \"2023-01-01T00:00:00Z\", \"end\": \"2023-01-02T00:00:00Z\"}"))]",
            reason: .badWindow, pointer: "/0/window"),
        Bad(
            body: "[\(element(more: ", \"window\": 1"))]", reason: .badWindow, pointer: "/0/window",
            overwrite: .replaceWindow),
        Bad(
            body: "[\(element(more: ", \"window\": {\"start\": \"2023-01-01T00:00:00Z\"}"))]", reason: .badWindow,
            pointer: "/0/window", overwrite: .replaceWindow),
        Bad(
            body:
                "[\(element(more: ", \"window\": {\"start\": \"2023-01-03T00:00:00Z\", \"end\": \"2023-01-02T00:00:00Z\"}"))]",
            reason: .badWindow, pointer: "/0/window", overwrite: .replaceWindow),
        Bad(
            body: "[\(element(more: ", \"window\": {\"start\": \"x\", \"end\": \"2023-01-02T00:00:00Z\"}"))]",
            reason: .badTimestamp, pointer: "/0/window/start", overwrite: .replaceWindow),
        Bad(
            body:
                "[\(element(more: ", \"window\": {\"start\": \"2023-01-02T00:00:00Z\", \"end\": \"2023-01-02T00:00:00Z\"}"))]",
            reason: .outsideWindow, pointer: "/0/data/0/ts", overwrite: .replaceWindow),
        Bad(
            body: "[\(element(data: "[{\"v\": 1, \"ts\": \"1989-12-31T23:59:59Z\"}]"))]", reason: .timestampOutOfBounds,
            pointer: "/0/data/0/ts"),
        Bad(
            body: "[\(element(data: "[\(good), {\"v\": 1, \"ts\": \"2106-02-07T06:28:15Z\"}]"))]",
            reason: .timestampOutOfBounds, pointer: "/0/data/1/ts"),
        Bad(
            body: "[\(element(data: "[\(good), {\"v\": 1, \"ts\": \"2023-01-12T12:00:00Z\"}]"))]",
            reason: .windowTooLong, pointer: "/0/data", overwrite: .replaceWindow),
        Bad(body: String(repeating: "[", count: 40) + String(repeating: "]", count: 40), reason: .tooDeep),
    ]

    @Test("whatever is wrong is told with its place, and says what was expected", arguments: bad)
    func rejections(_ bad: Bad) {
        #expect {
            try decode(bad.body, bad.overwrite)
        } throws: { error in
            let rejection = error as? Rejection
            return rejection?.reason == bad.reason && rejection?.pointer == bad.pointer
                && rejection?.detail.isEmpty == false
        }
    }

    @Test("bytes that are no UTF-8 are told so")
    func invalidUTF8() {
        let bytes: [UInt8] = Array("[{\"node_id\": 1, \"tag\": \"".utf8) + [0xFF] + Array("\", \"data\": []}]".utf8)
        #expect {
            try decode(bytes)
        } throws: { ($0 as? Rejection)?.reason == .invalidUTF8 }
    }

    @Test("decoders are used again and forget what they read before; a large body has one of its own")
    func reuse() async throws {
        let decoders = RequestDecoders(limit: 1)
        let budget = MemoryBudget(limit: 1 << 30)
        for count in [1, 100_000, 2] {
            let points = (0..<count).map {
                #"{"v": \#($0), "ts": "2023-01-01T12:00:00.\#(String(1_000_000 + $0).dropFirst())Z"}"#
            }
            let body = #"[{"node_id": 1, "tag": "t", "data": [\#(points.joined(separator: ","))]}]"#
            let bytes = RequestBytes(buffer: ByteBuffer(string: body), lease: MemoryLease(of: budget))
            let request = try await decoders.decode(bytes, overwrite: .insert, guards: guards)
            #expect(request.batch.points.map(\.value) == (0..<count).map(Double.init))
        }
    }
}
