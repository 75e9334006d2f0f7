extension Configuration {
    /// What the process serves over HTTP.
    public struct HTTP: Hashable, Sendable {
        /// Where the REST call is served; nil (`listen: off`) serves it nowhere, and so does a configuration in which no domain has
        /// a `keysFile`.
        public var listen: BridgeAddress?
        /// Where the status page, `/healthz`, `/readyz` and `/metrics` are served; nil (`admin: off`) serves them nowhere.
        /// The default is on loopback, for the page tells about every domain and asks for no key.
        public var admin: ListenAddress?
        /// nil serves plain HTTP.
        public var tls: ServerTLS?
        /// Bytes of a request's body, after it is inflated; 1 KiB to 1 GiB.
        public var maxBody: Int64
        /// Requests of one domain that are handled at once, as many that write and as many that read; 1 to 100,000. Further ones
        /// are answered 429.
        public var maxRequests: Int
        /// Open connections; 1 to 1,000,000. Further ones wait in the listen queue.
        public var maxConnections: Int
        /// How long a request waits for PostgreSQL before it is answered 202; 1 ms to 1 hour.
        public var commitTimeout: Duration
        /// Within which a request has to arrive whole, and how long an answer may go unread; 1 s to 1 hour.
        public var requestTimeout: Duration
        /// After which a connection without a request is closed; 1 s to 1 day.
        public var idleTimeout: Duration

        public init(
            listen: BridgeAddress? = .tcp(ListenAddress(host: "127.0.0.1", port: 8080)),
            admin: ListenAddress? = ListenAddress(host: "127.0.0.1", port: 8081), tls: ServerTLS? = nil,
            maxBody: Int64 = 16 << 20, maxRequests: Int = 256, maxConnections: Int = 10_000,
            commitTimeout: Duration = .seconds(5), requestTimeout: Duration = .seconds(60),
            idleTimeout: Duration = .seconds(75)
        ) {
            self.listen = listen
            self.admin = admin
            self.tls = tls
            self.maxBody = maxBody
            self.maxRequests = maxRequests
            self.maxConnections = maxConnections
            self.commitTimeout = commitTimeout
            self.requestTimeout = requestTimeout
            self.idleTimeout = idleTimeout
        }
    }

    /// Where the REST call is served.
    public enum BridgeAddress: Hashable, Sendable {
        case tcp(ListenAddress)
        /// The absolute path of a socket, for a reverse proxy on the same machine.
        case unix(String)
    }

    /// The files of a TLS server, PEM, as absolute paths that could be read when the configuration was loaded.
    public struct ServerTLS: Hashable, Sendable {
        /// The server's certificate, with the intermediate ones behind it.
        public var certificateFile: String
        public var keyFile: String

        public init(certificateFile: String, keyFile: String) {
            self.certificateFile = certificateFile
            self.keyFile = keyFile
        }
    }
}

extension Configuration.BridgeAddress: CustomStringConvertible {
    static let form =
        "\(Configuration.ListenAddress.form), or unix: and an absolute path of at most 107 bytes, such as unix:/run/windrow/http.sock"

    public var description: String {
        switch self {
        case .tcp(let address): address.description
        case .unix(let path): "unix:\(path)"
        }
    }

    /// nil when the text has not the form. The address of a Unix socket has 107 bytes at most (unix(7)).
    init?(parsing text: String) {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst("unix:".count))
            guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= 107 else { return nil }
            self = .unix(path)
        } else {
            guard let address = Configuration.ListenAddress(parsing: text) else { return nil }
            self = .tcp(address)
        }
    }
}
