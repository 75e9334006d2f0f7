internal import CMosquitto
import Glibc

/// One connection to a broker, from its start to its end, on a `mosquitto` handle of its own.
///
/// It keeps the invariant that **no acknowledgement leaves but in `write()`**. libmosquitto 2.0 queues a message's
/// PUBACK before it calls back, and sends its queue from `packet__write` only, which has two callers:
/// `mosquitto_loop_write`, and the queueing itself unless `mosquitto_threaded_set` was called. It was; so
/// `mosquitto_loop_read`, `mosquitto_loop_misc` (pings) and `mosquitto_subscribe` only queue. The queue is a FIFO:
/// whatever `write()` sends takes along every acknowledgement before it.
///
/// A handle is never connected twice. Destroying it closes the socket and frees the queue unsent, so a new connection
/// starts with nothing of the old one; the TLS files are read anew; and 2.0.11's faults in reusing a TLS context cannot
/// arise.
final class Connection {
    let mosquitto: OpaquePointer
    let events: Events
    private let context: UnsafeMutableRawPointer
    let options: Client.Options
    /// By then the broker must have accepted.
    let deadline: ContinuousClock.Instant
    /// If not nil, the socket is bound to it, which leaves only the host's addresses of its family.
    let localAddress: String?
    private(set) var phase = Phase.reaching

    enum Phase {
        /// TCP is being set up.
        case reaching
        /// TLS is being set up, or CONNACK is still to come. No message can have come yet.
        case opening
        case open
    }

    /// Starts to connect.
    init(
        _ options: Client.Options, handler: any ClientHandler, deadline: ContinuousClock.Instant, localAddress: String?
    ) throws(MosquittoError) {
        self.options = options
        self.deadline = deadline
        self.localAddress = localAddress
        events = Events(handler: handler)
        context = Unmanaged.passRetained(events).toOpaque()
        guard Library.initialized == MOSQ_ERR_SUCCESS.rawValue,
            let mosquitto = mosquitto_new(options.clientID, false, context)
        else {
            Unmanaged<Events>.fromOpaque(context).release()
            throw MosquittoError(operation: .connect, code: .outOfMemory, message: "libmosquitto gave no handle")
        }
        self.mosquitto = mosquitto
        Events.setCallbacks(of: mosquitto)
        try configure()
        try start()
    }

    deinit {
        // Closes the socket and frees the queue; sends nothing, calls nothing back.
        mosquitto_destroy(mosquitto)
        // Balances the passRetained of init.
        Unmanaged<Events>.fromOpaque(context).release()
    }

    var isCallingHandler: Bool { events.isCallingHandler }
    var isConnected: Bool { events.isConnected }
    var socket: Socket? {
        let descriptor = mosquitto_socket(mosquitto)
        return descriptor < 0 ? nil : Socket(descriptor: descriptor)
    }

    var wantsWrite: Bool {
        switch phase {
        case .reaching: true
        // During the handshake libmosquitto's own answer stays true once it was; and what is sent then always fits.
        case .opening: options.tls == nil && mosquitto_want_write(mosquitto)
        case .open: mosquitto_want_write(mosquitto)
        }
    }
}

extension Connection {
    func read(limit: Int) throws(MosquittoError) -> ReadOutcome {
        events.messages = 0
        events.messageLimit = limit
        if phase != .open {
            try advance()
            guard phase == .open else { return .drained }
        }
        while events.messages < limit {
            events.sawPacket = false
            let cause = try check(.read) { mosquitto_loop_read(mosquitto, 1) }
            // It reads about one packet and reports success either way. EAGAIN alone does not mean that the socket had
            // nothing more: after a message it may be left over from libmosquitto's wake-up pipe, which nobody reads.
            if cause == EAGAIN, !events.sawPacket { return .drained }
        }
        return .limit
    }

    func write() throws(MosquittoError) {
        guard phase == .open else { return }
        // One call sends the whole queue, or as much as the socket takes.
        try check(.write) { mosquitto_loop_write(mosquitto, 1) }
    }

    func keepAlive() throws(MosquittoError) {
        if phase == .open {
            try check(.keepAlive) { mosquitto_loop_misc(mosquitto) }
        } else {
            try checkDeadline()
        }
    }

    func disconnect(within patience: Duration) {
        guard phase == .open else { return }
        let deadline = ContinuousClock.now + patience
        let copy = socket?.duplicate()
        defer { if let copy { close(copy.descriptor) } }
        _ = mosquitto_disconnect_v5(mosquitto, 0, nil)
        // libmosquitto closes its descriptor when DISCONNECT is out, or on an error.
        while mosquitto_loop_write(mosquitto, 1) == MOSQ_ERR_SUCCESS.rawValue, let socket {
            guard socket.isWritable(within: deadline - .now) else { return }
        }
        // The broker closes when it has read so far. Closing first would lose acknowledgements: bytes that came unread
        // reset the connection, and a broker that sees the client come back before then drops what it has not read.
        copy?.discard(within: deadline - .now)
    }

    /// Takes the start as far as the broker lets it now.
    private func advance() throws(MosquittoError) {
        if phase == .reaching {
            switch socket?.reach {
            case .pending: return try checkDeadline()
            case .failed(let cause): throw failure(.connect, code: MOSQ_ERR_ERRNO.rawValue, errno: cause)
            case .reached, nil: phase = .opening
            }
        }
        // Reads CONNACK, or does the next step of the TLS handshake.
        try check(.connect) { mosquitto_loop_read(mosquitto, 1) }
        guard !events.isConnected else {
            phase = .open
            return
        }
        // Sends CONNECT, which is all that can be queued yet; not before TLS is up.
        try check(.connect) { mosquitto_loop_write(mosquitto, 1) }
        try checkDeadline()
    }

    private func checkDeadline() throws(MosquittoError) {
        if ContinuousClock.now >= deadline { throw failure(.connect, code: MOSQ_ERR_TIMEOUT.rawValue, errno: 0) }
    }

    /// Makes a loop call and throws if it ended the connection. Returns errno as the call left it.
    @discardableResult
    private func check(_ operation: MosquittoError.Operation, _ call: () -> Int32) throws(MosquittoError) -> Int32 {
        errno = 0
        let code = call()
        let cause = errno
        guard code == MOSQ_ERR_SUCCESS.rawValue, events.endReason == nil else {
            throw failure(operation, code: code, errno: cause)
        }
        return cause
    }

    func failure(_ operation: MosquittoError.Operation, code: Int32, errno: Int32) -> MosquittoError {
        Failure(
            operation: operation, code: .init(rawValue: code), errno: errno, phase: phase, options: options,
            refusal: events.refusal, endReason: events.endReason, errorLines: events.errorLines
        ).error
    }
}
