import Glibc
import Synchronization

/// Ends, from any thread, whatever a connection waits for: a statement that is held up by a lock, or a server that has stopped.
///
/// The connection's own thread then finds it lost. What became of a transaction under way is not known.
public final class Interrupter: Sendable {
    /// The connection's socket, as long as it is open; the lock keeps it from being closed, and its number from being another
    /// file's, meanwhile.
    private let socket: Mutex<Int32?>

    init(socket: Int32) {
        self.socket = Mutex(socket)
    }

    public func interrupt() {
        socket.withLock { socket in
            if let socket { shutdown(socket, Int32(SHUT_RDWR)) }
        }
    }

    /// Comes before the socket is closed.
    func end() {
        socket.withLock { $0 = nil }
    }
}
