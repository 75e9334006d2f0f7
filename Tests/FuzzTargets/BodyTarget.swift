import NIOCore

@testable import Windrow

/// The input is the body of a request, in each mode; also as gzip, and when it looks like that, to be inflated.
enum BodyTarget {
    /// Whatever the time, so that an input always does the same.
    private static let guards = Guards(
        oldest: PayloadTarget.guards.oldest, newestAhead: .max, replaceMaxSpan: PayloadTarget.guards.replaceMaxSpan)
    private static let now = Timestamp(microseconds: 1_685_577_600_000_000)

    static func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        var body = Array(input)
        if body.starts(with: [0x1F, 0x8B]) {
            guard let inflated = try SentBody.inflate(body) else { return false }
            body = inflated
        } else {
            try check(SentBody.read(SentBody.gzip(body), pieces: 7) == body, "a body comes out of gzip different")
        }
        let json = NaiveJSON(body)
        let decoder = RequestDecoder()
        var isAccepted = false
        for mode in Overwrite.allCases {
            if try decode(body, mode, json, decoder) { isAccepted = true }
        }
        return isAccepted
    }

    private static func decode(
        _ body: [UInt8], _ mode: Overwrite, _ json: NaiveJSON?, _ decoder: RequestDecoder
    ) throws(Violation) -> Bool {
        let expected = json.flatMap { record($0, mode) }
        switch try decode(body, mode, decoder) {
        case .failure(let rejection):
            try check(
                rejection.saysNoJSON == (json == nil), "the model finds \(json == nil ? "no " : "")JSON (\(rejection))")
            try rejection.check(in: json)
            try check(expected == nil, "rejected, and it should not be: \(rejection)")
            return false
        case .success(let request):
            guard let expected else { throw Violation("accepted, and it should not be") }
            let batch = request.batch
            try check(batch.recordCount == 1 && batch.edits.count == expected.count, "not one record of its elements")
            try check(request.elements.count == expected.count, "not all elements are answered")
            for (place, edit) in batch.edits.enumerated() {
                let (name, action, points, count) = expected[place]
                let element = request.elements[place]
                try check(batch.series[Int(edit.series)] == name && element.series == name, "the series of \(place)")
                try check(edit.action == action, "the action of \(place) is \(edit.action)")
                try check(
                    batch.points[edit.points].elementsEqual(points) { $0.isSame(as: $1) }, "the points of \(place)")
                try check(element.points == count, "\(place) counts \(element.points) points")
                try check(points.allSatisfy { element.range.contains($0.timestamp) }, "the range of \(place)")
            }
            try batch.checkAcceptance()
            return true
        }
    }

    private typealias Element = (SeriesName, EditAction, [Point], Int)

    /// What the record should be; nil when it has to be rejected.
    private static func record(_ json: NaiveJSON, _ mode: Overwrite) -> [Element]? {
        guard case .array(let items) = json, !items.isEmpty else { return nil }
        let elements = items.compactMap { item -> Element? in
            let node =
                switch item["node_id"] {
                case .number(let text)?: NaiveNames.id(text).map { NodeName.id($0) }
                case .string(let text)?: NaiveNames.uuid(text).map { NodeName.uuid($0) }
                default: nil as NodeName?
                }
            guard let node, case .string(let text)? = item["tag"], let tag = NaiveNames.tag(text),
                let edit = NaiveEdit(element: item), let action = edit.action(mode, guards, at: now)
            else { return nil }
            return (SeriesName(node: node, tag: tag), action, edit.points, edit.pointCount)
        }
        return elements.count == items.count ? elements : nil
    }

    /// As the server does, and once more in memory that ends where the padding does, so that no byte behind it is touched unnoticed.
    private static func decode(
        _ body: [UInt8], _ mode: Overwrite, _ decoder: RequestDecoder
    ) throws(Violation) -> Result<DecodedRequest, Rejection> {
        let lease = MemoryLease(of: MemoryBudget(limit: 0))
        let bytes = RequestBytes(buffer: ByteBuffer(bytes: body), lease: lease)
        let served = bytes.decode(by: decoder, mode, guards)

        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count + JSONTokens.padding, alignment: 1)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0xFF)
        memory.copyBytes(from: body)
        let exact = Result { () throws(Rejection) in
            try decoder.decode(memory, overwrite: mode, guards: guards, at: now)
        }
        switch (served, exact) {
        case (.failure(let one), .failure(let other)): try check(one == other, "\(one), and again \(other)")
        case (.success(let one), .success(let other)):
            try check(one.batch.isSame(as: other.batch), "a body is read in two ways")
        default: throw Violation("a body is accepted once and rejected once")
        }
        return exact
    }
}
