import Glibc

/// An address of the configuration cannot be had.
public struct ListenError: Error, Sendable, CustomStringConvertible {
    /// The key that names it.
    public var key: String
    public var address: String
    /// The system's error number.
    public var code: Int32

    public var description: String {
        "\(key): cannot listen on \(address): \(String(cString: strerror(code))); "
            + "stop what listens there or choose another address"
    }
}
