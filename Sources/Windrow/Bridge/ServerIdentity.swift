import NIOSSL
import Synchronization

/// The server's certificate and key, as the files were when they were last read.
final class ServerIdentity: Sendable {
    private let current: Mutex<(context: NIOSSLContext, expiry: Timestamp?)>

    init(_ files: Configuration.ServerTLS) throws {
        current = Mutex(try Self.load(files))
    }

    /// For the next connection.
    var context: NIOSSLContext { current.withLock { $0.context } }
    /// When the certificate expires.
    var expiry: Timestamp? { current.withLock { $0.expiry } }

    /// Reads the files anew, or other ones; connections that are open keep what they have. On a problem all stays as it was.
    func reload(_ files: Configuration.ServerTLS) throws {
        let fresh = try Self.load(files)
        current.withLock { $0 = fresh }
    }

    private static func load(_ files: Configuration.ServerTLS) throws(ServerIdentityError) -> (
        NIOSSLContext, Timestamp?
    ) {
        do {
            let chain = try NIOSSLCertificate.fromPEMBytes(Configuration.readFile(files.certificateFile))
            let key = try NIOSSLPrivateKey(bytes: Configuration.readFile(files.keyFile), format: .pem)
            var settings = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            settings.minimumTLSVersion = .tlsv12
            settings.applicationProtocols = ["http/1.1"]
            return (try NIOSSLContext(configuration: settings), chain.first.map(Certificate.expiry))
        } catch {
            throw ServerIdentityError(files: files, message: "\(error)")
        }
    }
}

/// The certificate and the key cannot be used.
public struct ServerIdentityError: Error, Sendable, CustomStringConvertible {
    public var files: Configuration.ServerTLS
    /// What the system or BoringSSL says.
    public var message: String

    public var description: String {
        "http.tls: cannot use \(files.certificateFile) with \(files.keyFile): \(message); both must be PEM, and belong together"
    }
}
