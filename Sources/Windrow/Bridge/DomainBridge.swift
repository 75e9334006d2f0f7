import Hummingbird
import LibPQ
import NIOCore
import Synchronization

/// A domain as HTTP clients meet it: who may, how much at once, and what a call does.
final class DomainBridge: Sendable {
    let name: String
    let keys: Keys
    let metrics: DomainMetrics
    let receipts: Receipts
    private let tail: Tail
    private let domain: Live<Configuration.Domain>
    private let http: Live<Configuration.HTTP>
    private let acceptance: Acceptance
    private let journal: Journal
    private let reader: PointReader
    private let decoders: RequestDecoders
    private let bodies: BodyReader
    private let writes = RequestSlots()
    private let reads = RequestSlots()

    init(
        _ domain: Live<Configuration.Domain>, http: Live<Configuration.HTTP>, acceptance: Acceptance, journal: Journal,
        receipts: Receipts, reader: PointReader, metrics: DomainMetrics, tail: Tail
    ) {
        name = domain.current.name
        keys = Keys(path: domain.current.keysFile)
        self.domain = domain
        self.http = http
        self.metrics = metrics
        self.tail = tail
        self.receipts = receipts
        self.acceptance = acceptance
        self.journal = journal
        self.reader = reader
        decoders = RequestDecoders(limit: System.coreCount)
        bodies = BodyReader(
            BodyReader.Limit(maxBody: Int(http.current.maxBody), largestRecord: journal.largestMessage))
    }

    /// Takes in what has changed of the configuration, but for the keys.
    func reload() {
        bodies.setLimit(BodyReader.Limit(maxBody: Int(http.current.maxBody), largestRecord: journal.largestMessage))
    }

    /// A place among the requests that are handled at once, held until the last reference goes.
    private func slot(_ slots: RequestSlots) throws(Problem) -> RequestSlots.Slot {
        let limit = http.current.maxRequests
        guard let slot = slots.take(of: limit) else {
            throw .tooManyRequests("\(limit) such requests to the domain \(name) are under way (http.max_requests)")
        }
        return slot
    }

    // MARK: POST

    static let writeParameters = ["silent", "overwrite"]

    /// Takes the body's points in, and waits until they are in PostgreSQL.
    func write(_ request: Request, _ query: Query, channel: any Channel) async throws(Problem) -> Response {
        let slot = try slot(writes)
        defer { withExtendedLifetime(slot) {} }
        let isSilent = try query.flag("silent")
        let overwrite = try overwrite(query["overwrite"])
        guard journal.hasRoom else { throw Problem(JournalError.noRoom) }
        let (receipt, elements) = try await submit(request, overwrite, channel)
        let outcome = await receipt.outcome
        FaultPoint.answerBefore.pass()
        if tail.isWatched, receipt.position != nil { show(elements) }
        switch outcome {
        case .stored: return answer(isSilent ? .noContent : .ok, elements, isSilent)
        case .accepted: return answer(.accepted, elements, isSilent)
        case .refused(let rejection): throw Problem(rejection)
        case .notAccepted(let error): throw Problem(error)
        }
    }

    var isWatched: Bool { tail.isWatched }

    /// Shows those who watch what has been accepted.
    private func show(_ elements: [DecodedRequest.Element]) {
        let wanted = elements.lazy.map { (element: $0, topic: "nodes/\($0.series.node)/\($0.series.tag.name)") }
            .filter { self.tail.wants(.accepted, of: $0.topic, in: self.name) }
        let shown = wanted.prefix(Self.mostShown).map { element, topic in
            var event = Tail.Event(.accepted, domain: self.name, topic: topic)
            event.points = element.points
            event.detail = "\(element.range.first) … \(element.range.last)"
            return event
        }
        tail.tell(Array(shown), missed: max(elements.count - Self.mostShown, 0))
    }

    /// Elements of a request that are shown at most.
    private static let mostShown = 500

    /// Shows those who watch what has been refused.
    func show(_ problem: Problem, of request: Request) {
        let call = "\(request.method.rawValue) \(request.uri.path)"
        guard tail.wants(.rejected, of: call, in: name) else { return }
        var event = Tail.Event(.rejected, domain: name, topic: call)
        event.reason = problem.kind
        event.detail = problem.detail + (problem.pointer.map { " at \($0)" } ?? "")
        tail.tell([event])
    }

    /// Reads the body and has its record accepted. The record takes no more memory than the body did, which counts until the journal
    /// has it.
    private func submit(
        _ request: Request, _ overwrite: Overwrite, _ channel: any Channel
    ) async throws(Problem) -> (Receipt, [DecodedRequest.Element]) {
        do throws(Problem) {
            let body = try await bodies.read(request, channel: channel)
            let receivedAt = ContinuousClock.now
            let lease = body.lease
            let decoded = try await decoders.decode(body, overwrite: overwrite, guards: Guards(domain.current))
            let receipt = receipts.open(timeout: http.current.commitTimeout)
            acceptance.submit(
                Acceptance.Submission(batch: decoded.batch, receivedAt: receivedAt, receipt: receipt) { _ in
                    withExtendedLifetime(lease) {}
                })
            return (receipt, decoded.elements)
        } catch {
            if let reason = error.reason { metrics.rejected(reason) }
            throw error
        }
    }

    private func overwrite(_ text: String?) throws(Problem) -> Overwrite {
        guard let text else { return .insert }
        guard let overwrite = Overwrite(rawValue: text) else {
            throw Problem(
                badParameter: "overwrite", "overwrite is \(String(quoting: text)), expected \(Overwrite.expectation)")
        }
        return overwrite
    }

    private func answer(
        _ status: HTTPResponse.Status, _ elements: [DecodedRequest.Element], _ isSilent: Bool
    ) -> Response {
        if isSilent { return Response(status: status) }
        var text = JSONText()
        text.write(#"{"timeseries":["#)
        for (place, element) in elements.enumerated() {
            text.write(place == 0 ? "{" : ",{")
            text.write(element.series)
            text.write(
                #","points":\#(element.points),"start":"\#(element.range.first)","end":"\#(element.range.last)"}"#)
        }
        text.write("]}")
        return text.response(status)
    }

    // MARK: GET

    static let readParameters = ["node_id", "tag", "start", "end"]

    /// Reads points back.
    func read(_ query: Query) async throws(Problem) -> Response {
        let slot = try slot(reads)
        let node = try node(query)
        let tag = try tag(query)
        let wanted = try range(query)
        guard let series = try await ask({ try await self.reader.series(of: node, tag: tag) }) else {
            throw Problem(Rejection(.unknownNode, "node \(node) is unknown"))
        }
        // The first page before the answer begins: until then an error can be told.
        var first: PointReader.Page?
        if let id = series.first?.id, let wanted {
            first = try await ask { try await self.reader.page(of: id, in: wanted) }
        }
        let body = ResponseBody { [reader, first] writer in
            // Held until all is read.
            defer { withExtendedLifetime(slot) {} }
            try await writer.write(ByteBuffer(string: #"{"timeseries":["#))
            var page = first
            for (place, one) in series.enumerated() {
                var text = JSONText()
                text.write(place == 0 ? "{" : ",{")
                text.write(SeriesName(node: node, tag: one.tag))
                text.write(#","data":["#)
                try await writer.write(ByteBuffer(bytes: text.bytes))
                var rest = wanted
                while let range = rest {
                    let read = if let page { page } else { try await reader.page(of: one.id, in: range) }
                    page = nil
                    // The page behind a full one may be empty.
                    if range != wanted, !read.text.isEmpty { try await writer.write(ByteBuffer(string: ",")) }
                    try await writer.write(ByteBuffer(bytes: read.text))
                    rest = read.next.map { TimeRange(first: $0, last: range.last) }
                }
                try await writer.write(ByteBuffer(string: "]}"))
            }
            if series.isEmpty, let tag {
                var text = JSONText()
                text.write("{")
                text.write(SeriesName(node: node, tag: tag))
                text.write(#","data":[]}"#)
                try await writer.write(ByteBuffer(bytes: text.bytes))
            }
            try await writer.write(ByteBuffer(string: "]}"))
            try await writer.finish(nil)
        }
        return Response(
            status: .ok, headers: [.contentType: JSONText.mediaType, .cacheControl: "no-store"], body: body)
    }

    private func node(_ query: Query) throws(Problem) -> NodeName {
        guard let text = query["node_id"] else { throw Problem(badParameter: "node_id", "node_id is missing") }
        guard let node = NodeName(text) else {
            throw Problem(
                badParameter: "node_id",
                "node_id is \(String(quoting: text)), expected an integer from 1 to \(Int64.max) or a UUID")
        }
        return node
    }

    private func tag(_ query: Query) throws(Problem) -> Tag? {
        guard let text = query["tag"] else { return nil }
        guard let tag = Tag(text) else {
            throw Problem(badParameter: "tag", "tag is \(String(quoting: text)), expected \(Tag.expectation)")
        }
        return tag
    }

    /// nil when it is empty. `end` is excluded.
    private func range(_ query: Query) throws(Problem) -> TimeRange? {
        let start = try query.timestamp("start") ?? .earliest
        let last = try query.timestamp("end").map { Timestamp(microseconds: $0.microseconds - 1) } ?? .latest
        return start <= last ? TimeRange(first: start, last: last) : nil
    }

    private func ask<R>(_ body: () async throws -> R) async throws(Problem) -> R {
        do {
            return try await body()
        } catch {
            // The log has told why, which is the operator's business.
            throw .unavailable("PostgreSQL cannot be asked just now", retryAfter: 5)
        }
    }
}
