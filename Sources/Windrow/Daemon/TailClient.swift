import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// Watches a running daemon through its admin server.
public struct TailClient: Sendable {
    /// What a watcher is given.
    public struct Event: Sendable {
        public var at: Timestamp?
        public var domain: String
        public var topic: String
        /// `accepted`, `rejected` or `skipped`.
        public var outcome: String
        public var points: Int
        public var reason: String?
        public var detail: String?
        public var payload: String?
        /// So many came before it that are not shown.
        public var missed: Int
        /// As it came: a JSON object.
        public var json: String
    }

    /// Why watching ended.
    public struct Failure: Error, Sendable, CustomStringConvertible {
        public var description: String
    }

    private let address: Configuration.ListenAddress
    private let query: String

    /// - Parameters:
    ///   - address: `http.admin` of the daemon.
    ///   - domain: nil for all.
    ///   - topic: nil for all.
    public init(_ address: Configuration.ListenAddress, domain: String?, topic: TopicFilter?, rejectedOnly: Bool) {
        self.address = address
        var parts = URLComponents()
        parts.queryItems = [URLQueryItem(name: "rejected", value: "\(rejectedOnly)")]
        if let domain { parts.queryItems?.append(URLQueryItem(name: "domain", value: domain)) }
        if let topic { parts.queryItems?.append(URLQueryItem(name: "topic", value: topic.text)) }
        query = (parts.percentEncodedQuery ?? "").replacing("+", with: "%2B")
    }

    /// Gives each event to `body` until that says no.
    /// - Throws: `Failure`.
    public func run(_ body: (Event) throws -> Bool) async throws {
        let channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
        do {
            channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
                .connectTimeout(.seconds(5)).connect(host: address.host, port: Int(address.port)) { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHTTPClientHandlers()
                        return try NIOAsyncChannel(wrappingChannelSynchronously: channel)
                    }
                }
        } catch {
            throw Failure(
                description: "cannot reach the daemon at \(address) (http.admin): \(Self.reason(error)); does it run?")
        }
        try await channel.executeThenClose { inbound, outbound in
            var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/tail?\(query)")
            head.headers.add(name: "Host", value: "\(address)")
            try await outbound.write(.head(head))
            try await outbound.write(.end(nil))
            var line: [UInt8] = []
            for try await part in inbound {
                switch part {
                case .head(let head) where head.status != .ok:
                    throw Failure(
                        description: "the daemon at \(address) answers \(head.status); is it one that knows `tail`?")
                case .body(let piece):
                    for byte in piece.readableBytesView {
                        line.append(byte)
                        guard byte == UInt8(ascii: "\n") else { continue }
                        defer { line.removeAll(keepingCapacity: true) }
                        if line.count > 1, try !body(Self.event(line)) { return }
                    }
                case .head, .end: break
                }
            }
            throw Failure(description: "the daemon has stopped")
        }
    }

    private static func event(_ line: [UInt8]) throws -> Event {
        let event = try JSONDecoder().decode(Tail.Event.self, from: Data(line))
        return Event(
            at: Timestamp(rfc3339: event.at), domain: event.domain, topic: event.topic, outcome: event.outcome.rawValue,
            points: event.points, reason: event.reason, detail: event.detail, payload: event.payload,
            missed: event.missed ?? 0, json: String(decoding: line.dropLast(), as: UTF8.self))
    }

    private static func reason(_ error: any Error) -> String {
        if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
        if let error = error as? NIOConnectionError, let first = error.connectionErrors.first {
            return (first.error as? IOError).map { String(cString: strerror($0.errnoCode)) } ?? "\(first.error)"
        }
        return "\(error)"
    }
}
