import NIOCore

extension Configuration.BridgeAddress {
    /// Where a socket listens; nil when it is of another family.
    init?(_ address: SocketAddress) {
        if let path = address.pathname {
            self = .unix(path)
        } else if let host = address.ipAddress, let port = address.port, let port = UInt16(exactly: port) {
            self = .tcp(Configuration.ListenAddress(host: host, port: port))
        } else {
            return nil
        }
    }

    /// Whether a socket that listens on `actual` is what this asks for: names may stand for an address, and port 0 for any.
    func isSame(as actual: Self) -> Bool {
        guard case .tcp(let wanted) = self, case .tcp(let listening) = actual else { return self == actual }
        let resolved = try? SocketAddress.makeAddressResolvingHost(wanted.host, port: Int(listening.port))
        return (wanted.port == 0 || wanted.port == listening.port) && resolved?.ipAddress == listening.host
    }
}
