import Glibc
import WindrowTestSupport

/// A loopback port that belongs to this object: one that refuses connections, or takes them and never answers.
final class LoopbackPort {
    let number: UInt16
    private let descriptor: Int32

    init(silentlyListening: Bool) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let bound = withUnsafeMutableBytes(of: &address) { bytes in
            let pointer = bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self)
            return bind(descriptor, pointer, length) == 0 && getsockname(descriptor, pointer, &length) == 0
        }
        number = UInt16(bigEndian: address.sin_port)
        guard bound, !silentlyListening || listen(descriptor, 8) == 0 else {
            throw FixtureError("no loopback port: \(String(cString: strerror(errno)))")
        }
    }

    deinit { close(descriptor) }
}
