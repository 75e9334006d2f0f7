import Foundation
import Synchronization
import WindrowTestSupport

/// A TCP proxy on a loopback port, through which the daemon reaches a server, and which does to the connections what networks do.
///
/// One thread moves all bytes. A change of mode takes effect at its next turn, a few milliseconds later.
final class Proxy: Sendable {
    enum Mode: Equatable, Sendable {
        case pass
        /// All connections are closed, and new ones refused.
        case cut
        /// Bytes are taken and go nowhere. When it ends, the connections that lived through it break.
        case stall
        /// Bytes arrive this much later, each way.
        case delay(milliseconds: Int)
    }

    private struct Orders {
        var mode = Mode.pass
        var isClosing = false
    }

    let port: UInt16
    private let orders: Mutex<Orders>

    init(to target: UInt16) throws {
        port = try Sandbox.freePort()
        orders = Mutex(Orders())
        let thread = Thread { [self] in
            ProxyLoop(port: port, target: target).run { orders.withLock { ($0.mode, $0.isClosing) } }
        }
        thread.start()
    }

    func set(_ mode: Mode) {
        orders.withLock { $0.mode = mode }
    }

    /// Ends the thread.
    func close() {
        orders.withLock { $0.isClosing = true }
    }
}
