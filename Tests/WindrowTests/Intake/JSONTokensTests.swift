import CSimdJSON
import Testing

@testable import Windrow

/// The shape of the REST call's body, which the same tokeniser reads.
@Suite struct JSONTokensTests {
    private func read<Result>(_ text: String, _ body: (SJDocument, UnsafeBufferPointer<SJElement>) throws -> Result)
        throws -> Result
    {
        let tokens = JSONTokens()
        return try Array(text.utf8).withUnsafeBytes { bytes in
            let document = try tokens.read(bytes, items: .elements)
            return try body(document, UnsafeBufferPointer(start: document.elements, count: Int(document.elementCount)))
        }
    }

    @Test("an array of elements is read with each element's node, tag, window and points")
    func elements() throws {
        let text = #"""
            [{"node_id": 1, "tag": "outdoortemp", "data": [{"v": 12.3, "ts": "2023-01-01T12:00:00Z"}, {"ts": 5}]},
             {"window": {"end": "b", "start": "a"}, "data": [], "tag": "caf\u00e9", "node_id": "12345678-1234-1234-1234-123456789012"},
             17, {"data": [{"v": true}], "data": [{"v": 2}, {"v": 3}, [4]], "overwrite": "insert"}, {}]
            """#
        try read(text) { document, elements in
            func text(_ token: SJToken) -> String { String(decoding: document.bytes(of: token.text), as: UTF8.self) }
            try #require(elements.count == 5)
            #expect(document.root.kind == .array)
            #expect(elements.map(\.token.kind) == [.object, .object, .number, .object, .object])
            #expect(elements.map(\.data.kind) == [.array, .array, .absent, .array, .absent])

            #expect(elements[0].nodeID.kind == .number && text(elements[0].nodeID) == "1")
            #expect(elements[0].tag.kind == .string && text(elements[0].tag) == "outdoortemp")
            let points = document.points(of: elements[0])
            #expect(points.map(\.valueKind) == [.number, .absent] && points[0].value.number == 12.3)
            #expect(points.map(\.timestampKind) == [.string, .number])

            #expect(elements[1].nodeID.kind == .string && text(elements[1].nodeID).count == 36)
            #expect(text(elements[1].tag) == "café")
            #expect(text(elements[1].windowStart) == "a" && text(elements[1].windowEnd) == "b")
            #expect(document.points(of: elements[1]).isEmpty)

            #expect(document.points(of: elements[3]).map(\.value.number).prefix(2) == [2, 3])
            #expect(document.points(of: elements[3]).map(\.timestampKind) == [.absent, .absent, .noObject])
            #expect(text(elements[3].overwrite) == "insert")
            #expect(elements[4].nodeID.kind == .absent && document.points(of: elements[4]).isEmpty)
            #expect(document.pointCount == 5)
        }
    }

    @Test("escapes are resolved, to the ends of what UTF-8 writes in one, two, three and four bytes")
    func escapes() throws {
        let tag = #"a\"\\\/\b\f\n\r\t\u0000\u007f\u0080\u07FF\u0800\uffff\ud800\udc00\uDBFF\uDFFF\ud83d\ude00é\u00e9z"#
        let expected =
            "a\"\\/\u{8}\u{C}\n\r\t\u{0}\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}\u{1F600}\u{E9}\u{E9}z"
        try read("[{\"tag\": \"\(tag)\", \"node_id\": \"\\u0037\"}]") { document, elements in
            #expect(document.bytes(of: elements[0].tag.text).elementsEqual(expected.utf8))
            #expect(document.bytes(of: elements[0].nodeID.text).elementsEqual("7".utf8))
        }
    }

    @Test("a second window replaces the first whole")
    func secondWindow() throws {
        try read(
            #"[{"window": {"start": "a", "end": "b"}, "window": {"start": "c"}}, {"window": {"start": 1}, "window": null}]"#
        ) {
            #expect($1[0].windowStart.kind == .string && $1[0].windowEnd.kind == .absent)
            #expect($1[1].window.kind == .null && $1[1].windowStart.kind == .absent)
        }
    }

    @Test(
        "a root that is an object is one element, and one that is neither has none",
        arguments: [("{}", 1), ("[]", 0), ("null", 0), ("\"x\"", 0)])
    func roots(text: String, count: Int) throws {
        #expect(try read(text) { $1.count } == count)
    }

    @Test("a place in an element of a request is told as a JSON pointer")
    func pointers() {
        #expect(PointPlace.data(element: 4).pointer(toPoint: 2, field: "ts") == "/4/data/2/ts")
        #expect(PointPlace.data(element: 4).pointer(toField: "window/start") == "/4/window/start")
        #expect(PointPlace.data(element: 4).listPointer == "/4/data")
    }

    @Test("a point of a request needs a timestamp")
    func timestampNeeded() throws {
        try read(#"[{"data": [{"v": 1}]}]"#) { document, elements in
            let reader = TokenReader(document: document, epoch: nil, receivedAt: nil)
            var memory = [Point(timestamp: .earliest, value: 0)]
            #expect(throws: Rejection(.badTimestamp, "ts is missing", pointer: "/0/data/0")) {
                try memory.withUnsafeMutableBufferPointer {
                    _ = try reader.readPoints(
                        document.points(of: elements[0]), into: $0, at: .data(element: 0))
                }
            }
        }
    }
}
