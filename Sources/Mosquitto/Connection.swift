internal import CMosquitto
import Glibc

/// One connection to a broker, from its start to its end, on a `mosquitto` handle of its own.
///
/// It keeps the invariant that **no acknowledgement leaves but in `write()`**. libmosquitto 2.0 queues a message's PUBACK before it
/// calls back, and sends its queue from `packet__write` only, which has two callers: `mosquitto_loop_write`, and the queueing
/// itself unless `mosquitto_threaded_set` was called. It was; so `mosquitto_loop_read`, `mosquitto_loop_misc` (pings) and
/// `mosquitto_subscribe` only queue. The queue is a FIFO, so whatever `write()` sends brings along every acknowledgement before it.
///
/// A handle is never connected twice. Destroying it closes the socket and frees the queue unsent, so a new connection starts with
/// nothing of the old one; the TLS files are read anew; and 2.0.11's faults in reusing a TLS context cannot arise.
final class Connection {
    private let mosquitto: OpaquePointer
    private let events: Events
    private let context: UnsafeMutableRawPointer
    private let options: Client.Options
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

// MARK: - Start

extension Connection {
    private func configure() throws(MosquittoError) {
        try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5))
        try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMaximum)))
        // What write() sends is corked into full segments; the rest must not wait for the peer's TCP acknowledgement.
        try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1))
        try demand(mosquitto_threaded_set(mosquitto, true))
        if options.username != nil || options.password != nil {
            try demand(mosquitto_username_pw_set(mosquitto, options.username, options.password))
        }
        if let tls = options.tls { try configure(tls) }
    }

    private func configure(_ tls: Client.TLS) throws(MosquittoError) {
        for file in [tls.caFile, tls.certificateFile, tls.keyFile] {
            guard let file else { continue }
            let descriptor = open(file, O_RDONLY | O_CLOEXEC)
            guard descriptor >= 0 else {
                throw MosquittoError(
                    operation: .connect, code: .system, errno: errno,
                    message: "cannot read the TLS file \(file): \(systemMessage(errno))")
            }
            close(descriptor)
        }
        if tls.caFile == nil { try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_TLS_USE_OS_CERTS, 1)) }
        // It insists on a file or folder of authorities even if those of the system are to be used: a folder that cannot exist.
        // Without the callback, OpenSSL would ask the terminal for the passphrase of an encrypted key.
        try demand(
            mosquitto_tls_set(
                mosquitto, tls.caFile, tls.caFile == nil ? "/dev/null" : nil, tls.certificateFile, tls.keyFile
            ) { _, _, _, _ in -1 })
    }

    private func start() throws(MosquittoError) {
        try setSessionExpiry()
        let (options, mosquitto, localAddress) = (options, mosquitto, localAddress)
        var cause: Int32 = 0
        func connect() -> Int32 {
            errno = 0
            let code = mosquitto_connect_bind_async(
                mosquitto, options.host, Int32(options.port), Int32(options.keepAliveSeconds), localAddress)
            cause = errno
            return code
        }
        let code = options.tls == nil ? connect() : Library.startingTLS(connect)
        guard code == MOSQ_ERR_SUCCESS.rawValue else { throw failure(.connect, code: code, errno: cause) }
        socket?.closeOnExec()
    }

    /// Only the blocking connect takes properties. It stores a copy before it looks at the host, so without a host it does that and
    /// no more; the non-blocking connect then sends them.
    private func setSessionExpiry() throws(MosquittoError) {
        var properties: OpaquePointer?
        try demand(
            mosquitto_property_add_int32(
                &properties, Int32(MQTT_PROP_SESSION_EXPIRY_INTERVAL.rawValue), options.sessionExpirySeconds))
        _ = mosquitto_connect_bind_v5(mosquitto, nil, 0, 0, nil, properties)
        mosquitto_property_free_all(&properties)
    }

    private func demand(_ code: Int32) throws(MosquittoError) {
        if code != MOSQ_ERR_SUCCESS.rawValue { throw failure(.connect, code: code, errno: errno) }
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
}

// MARK: - Loop

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
            // It reads about one packet and reports success either way. EAGAIN alone does not mean that the socket had nothing
            // more: after a message it may be left over from a byte to libmosquitto's wake-up pipe, which nobody reads.
            if cause == EAGAIN, !events.sawPacket { return .drained }
        }
        return .limit
    }

    func write() throws(MosquittoError) {
        guard phase == .open else { return }
        // libmosquitto sends each packet by a system call of its own; corked, they share segments.
        let corked = events.queuedAcknowledgements > 1 ? socket : nil
        events.queuedAcknowledgements = 0
        corked?.setCork(true)
        // One call sends the whole queue, or as much as the socket takes.
        try check(.write) { mosquitto_loop_write(mosquitto, 1) }
        corked?.setCork(false)
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
        // The broker closes when it has read so far. Closing first would lose acknowledgements: bytes that came unread reset the
        // connection, and a broker that sees the client come back before then drops what it has not read.
        copy?.discard(within: deadline - .now)
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

    private func failure(_ operation: MosquittoError.Operation, code: Int32, errno: Int32) -> MosquittoError {
        Failure(
            operation: operation, code: .init(rawValue: code), errno: errno, phase: phase, options: options,
            refusal: events.refusal, endReason: events.endReason, errorLines: events.errorLines
        ).error
    }
}

// MARK: - Subscriptions

extension Connection {
    func subscribe(_ filters: [String], retained: RetainedDelivery) throws(MosquittoError) -> MessageID {
        try request(.subscribe, filters) { messageID, count, filters in
            mosquitto_subscribe_multiple(mosquitto, messageID, count, filters, 1, retained.option, nil)
        }
    }

    func unsubscribe(_ filters: [String]) throws(MosquittoError) -> MessageID {
        try request(.unsubscribe, filters) { messageID, count, filters in
            mosquitto_unsubscribe_multiple(mosquitto, messageID, count, filters, nil)
        }
    }

    private typealias Filters = UnsafePointer<UnsafeMutablePointer<CChar>?>

    private func request(
        _ operation: MosquittoError.Operation, _ filters: [String],
        _ send: (UnsafeMutablePointer<Int32>, Int32, Filters) -> Int32
    ) throws(MosquittoError) -> MessageID {
        guard events.isConnected else { throw .notConnected(operation) }
        guard !filters.isEmpty else {
            throw MosquittoError(operation: operation, code: .invalid, message: "no topic filter was given")
        }
        for filter in filters where !isTopicFilter(filter) {
            throw MosquittoError(
                operation: operation, code: .invalid, message: "not a topic filter: \(filter.debugDescription)",
                hint: "+ stands for one whole level, # for all the levels at the end")
        }
        let copies = filters.map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var messageID: Int32 = 0
        let code = copies.withUnsafeBufferPointer { send(&messageID, Int32($0.count), $0.baseAddress!) }
        guard code == MOSQ_ERR_SUCCESS.rawValue else {
            throw MosquittoError(
                operation: operation, code: .init(rawValue: code),
                message: MosquittoError.Code(rawValue: code).message(errno: 0))
        }
        return MessageID(rawValue: UInt16(truncatingIfNeeded: messageID))
    }

    /// libmosquitto would let an empty one pass, and cut one with a NUL.
    private func isTopicFilter(_ text: String) -> Bool {
        !text.isEmpty && !text.utf8.contains(0) && mosquitto_sub_topic_check(text) == MOSQ_ERR_SUCCESS.rawValue
    }
}

extension RetainedDelivery {
    fileprivate var option: Int32 {
        switch self {
        case .always: Int32(MQTT_SUB_OPT_SEND_RETAIN_ALWAYS.rawValue)
        case .toNewSubscription: Int32(MQTT_SUB_OPT_SEND_RETAIN_NEW.rawValue)
        case .never: Int32(MQTT_SUB_OPT_SEND_RETAIN_NEVER.rawValue)
        }
    }
}
