#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Configuration {
    /// Where a server of ours listens, written `host:port`.
    public struct ListenAddress: Hashable, Sendable {
        /// A host name, an IPv4 address, or an IPv6 address without its brackets.
        public var host: String
        /// 0 lets the system choose a free one.
        public var port: UInt16

        public init(host: String, port: UInt16) {
            self.host = host
            self.port = port
        }
    }

    /// An MQTT broker, written `mqtt://host[:port]` or, with TLS, `mqtts://host[:port]`.
    public struct BrokerAddress: Hashable, Sendable {
        /// A host name, an IPv4 address, or an IPv6 address without its brackets.
        public var host: String
        /// 1 to 65,535. The defaults are IANA's for MQTT: 1883, and 8883 with TLS.
        public var port: UInt16
        public var tls: Bool

        public init(host: String, port: UInt16? = nil, tls: Bool = false) {
            self.host = host
            self.port = port ?? (tls ? 8883 : 1883)
            self.tls = tls
        }
    }
}

extension Configuration.ListenAddress: CustomStringConvertible {
    static let form = "host:port, such as 127.0.0.1:8081 or [::1]:8081"

    public var description: String {
        HostAndPort.bracketed(host) + ":\(port)"
    }

    /// nil when the text has not the form.
    init?(parsing text: some StringProtocol) {
        guard let parts = HostAndPort(parsing: text), let port = parts.port else { return nil }
        self.init(host: parts.host, port: port)
    }
}

extension Configuration.BrokerAddress: CustomStringConvertible {
    public static let form = "mqtt://host[:port] or mqtts://host[:port]"

    public var description: String {
        (tls ? "mqtts://" : "mqtt://") + HostAndPort.bracketed(host) + ":\(port)"
    }

    /// nil when the text has not the form.
    public init?(parsing text: String) {
        let tls = text.hasPrefix("mqtts://")
        guard tls || text.hasPrefix("mqtt://"),
            let parts = HostAndPort(parsing: text.dropFirst(tls ? 8 : 7)), parts.port != 0
        else { return nil }
        self.init(host: parts.host, port: parts.port, tls: tls)
    }
}

/// `host`, `host:port`, `[IPv6]` or `[IPv6]:port`.
private struct HostAndPort {
    var host: String
    var port: UInt16?

    init?(parsing text: some StringProtocol) {
        let afterHost: Substring
        if text.hasPrefix("[") {
            guard let close = text.firstIndex(of: "]") else { return nil }
            host = String(text[text.index(after: text.startIndex)..<close])
            afterHost = Substring(text[text.index(after: close)...])
            guard Self.isIPv6(host) else { return nil }
        } else {
            let end = text.firstIndex(of: ":") ?? text.endIndex
            host = String(text[..<end])
            afterHost = Substring(text[end...])
            guard Self.isHostName(host) else { return nil }
        }
        if afterHost.isEmpty { return }
        let digits = afterHost.dropFirst()
        guard afterHost.first == ":", digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(digits)
        else {
            return nil
        }
        self.port = port
    }

    static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }

    /// Host names and IPv4 addresses; whether the name exists is the resolver's to say.
    private static func isHostName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
                    true
                default: false
                }
            }
    }

    /// RFC 4291, with an optional zone (`%eth0`), which `inet_pton` doesn't know.
    private static func isIPv6(_ text: String) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        if parts.count == 2, !isHostName(String(parts[1])) { return false }
        var address = in6_addr()
        return inet_pton(AF_INET6, String(parts[0]), &address) == 1
    }
}
