import Glibc
import NIOCore

/// An address of the configuration cannot be had.
public struct ListenError: Error, Sendable, CustomStringConvertible {
    /// The key that names it.
    public var key: String
    /// As the configuration has it.
    public var address: String
    /// Why, in the system's words.
    public var message: String
    /// What the operator can do.
    public var hint: String?

    init(key: String, address: String, code: Int32) {
        self.init(
            key: key, address: address, message: String(cString: strerror(code)),
            hint: Self.hint(code))
    }

    /// nil when the error is not about the address.
    init?(key: String, address: String, _ error: any Error) {
        switch error {
        case let error as IOError: self.init(key: key, address: address, code: error.errnoCode)
        case is SocketAddressError, is SocketAddressError.UnknownHost:
            self.init(key: key, address: address, message: "no such host", hint: nil)
        default: return nil
        }
    }

    private static func hint(_ code: Int32) -> String? {
        switch code {
        case EADDRINUSE: "stop what listens there or choose another address"
        // Of a path for a socket.
        case EEXIST: "what is there is no socket; remove it or choose another path"
        default: nil
        }
    }

    init(key: String, address: String, message: String, hint: String?) {
        self.key = key
        self.address = address
        self.message = message
        self.hint = hint
    }

    public var description: String {
        "\(key): cannot listen on \(address): \(message)" + (hint.map { "; \($0)" } ?? "")
    }
}
