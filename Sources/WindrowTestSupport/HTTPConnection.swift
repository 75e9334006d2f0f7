import Foundation

/// A keep-alive connection of an HTTP/1.1 client that does what it is told, also what is no HTTP.
public final class HTTPConnection {
    public struct Response: Sendable {
        public var status: Int
        /// Names in lower case.
        public var headers: [String: String]
        public var body: [UInt8]

        public var text: String { String(decoding: body, as: UTF8.self) }

        /// The body's members, of an object.
        public var json: [String: Any] {
            (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] ?? [:]
        }
    }

    public let socket: LoopbackSocket
    private let authorization: String

    /// - Parameter secret: of the key that requests are sent with.
    public init(port: UInt16, secret: String = TestKey.secret, timeout: Duration = .seconds(60)) throws {
        socket = try LoopbackSocket(port: port, timeout: timeout)
        authorization = "Authorization: Key \(secret)\r\n"
    }

    public func post(_ path: String, _ body: some Collection<UInt8>, headers: String = "") throws -> Response {
        try send(path, body, headers: headers)
        return try response()
    }

    public func post(_ path: String, _ body: String, headers: String = "") throws -> Response {
        try post(path, body.utf8, headers: headers)
    }

    public func get(_ path: String) throws -> Response {
        try socket.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\(authorization)\r\n".utf8)
        return try response()
    }

    /// Sends a request and does not wait for its answer.
    /// - Parameter headers: further lines, each with its line end.
    public func send(_ path: String, _ body: some Collection<UInt8>, headers: String = "") throws {
        try socket.send(Array(Self.head(path, length: body.count, authorization + headers).utf8) + body)
    }

    /// The head of a POST.
    public static func head(_ path: String, length: Int, _ headers: String) -> String {
        "POST \(path) HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: \(length)\r\n\(headers)\r\n"
    }

    /// Reads the next answer, informational ones included.
    public func response() throws -> Response {
        guard let head = try socket.receive(through: "\r\n\r\n") else {
            throw FixtureError("the server closed the connection without an answer")
        }
        let lines = head.components(separatedBy: "\r\n")
        guard let status = Int(lines[0].split(separator: " ").dropFirst().first ?? "") else {
            throw FixtureError("no status line: \(lines[0])")
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].trimmingCharacters(
                in: .whitespaces)
        }
        var body: [UInt8] = []
        if headers["transfer-encoding"] == "chunked" {
            while let line = try socket.receive(through: "\r\n"), let count = Int(line.dropLast(1), radix: 16) {
                body += try socket.receive(count)
                _ = try socket.receive(2)
                if count == 0 { break }
            }
        } else if let length = headers["content-length"].flatMap({ Int($0) }) {
            body = try socket.receive(length)
        }
        return Response(status: status, headers: headers, body: body)
    }
}

/// The key that a `DaemonProcess`'s domains take: that of the example in the description of the call.
public enum TestKey {
    public static let secret = "demo-secret"
    /// Its line in a keys file.
    public static let line = "test cd577fe2561ebff23505db0bb006300c7cdecbd46bc0e03c449afafaca2c25bf\n"
}
