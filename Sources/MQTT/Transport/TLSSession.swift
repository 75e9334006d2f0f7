internal import COpenSSL
import Glibc

/// TLS over one socket, by OpenSSL.
///
/// One thread uses it, and OpenSSL's queue of errors is that thread's.
final class TLSSession {
    private let handle: OpaquePointer
    /// Its address is known to OpenSSL for as long as the handle lives.
    private let wire: UnsafeMutablePointer<TLSWire>
    private let options: Client.Options
    private let tls: Client.TLS

    /// Whether the handshake is done. OpenSSL does not know any more once there was an error.
    private var isOpen = false
    /// Whether it waits for the socket to become writable.
    private(set) var wantsWrite = false
    /// Whether a record has been begun that the socket did not take.
    private(set) var isWithinRecord = false

    /// Sends nothing yet. Of the certificate, the host in the options is demanded.
    init(_ context: TLSContext, _ tls: Client.TLS, _ options: Client.Options, _ socket: Socket) throws(Ending) {
        guard let handle = SSL_new(context.handle), let bio = TLSWire.makeBIO() else { throw .system([ENOMEM]) }
        self.handle = handle
        self.options = options
        self.tls = tls
        wire = .allocate(capacity: 1)
        wire.initialize(to: TLSWire(descriptor: socket.descriptor))
        BIO_set_data(bio, wire)
        // The handle frees it.
        SSL_set_bio(handle, bio, bio)
        SSL_set_connect_state(handle)
        guard demand(options.host) else { throw .tls(TLSFailure("the host cannot be looked for in certificates")) }
    }

    deinit {
        SSL_free(handle)
        wire.deallocate()
    }

    private func demand(_ host: String) -> Bool {
        // A zone names a way of this machine's, and no certificate has it.
        let name = String(host.prefix { $0 != "%" })
        let parameters = SSL_get0_param(handle)
        if X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
        ERR_clear_error()
        let domain = host.hasSuffix(".") ? String(host.dropLast()) : host
        SSL_set_hostflags(handle, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        guard SSL_set1_host(handle, domain) == 1 else { return false }
        return domain.withCString { name in
            SSL_ctrl(
                handle, SSL_CTRL_SET_TLSEXT_HOSTNAME, Int(TLSEXT_NAMETYPE_host_name),
                UnsafeMutableRawPointer(mutating: name)) == 1
        }
    }

    /// Goes on with the handshake. True when it is done.
    func shakeHands() throws(Ending) -> Bool {
        let result = call { SSL_do_handshake(handle) }
        guard result != 1 else {
            isOpen = true
            wantsWrite = false
            return true
        }
        if let ending = ending(result) { throw ending }
        return false
    }

    func receive(into memory: UnsafeMutableRawBufferPointer) -> Channel.Received {
        var count = 0
        while count < memory.count {
            // Never more than a record at a time.
            let size = Int32(clamping: memory.count - count)
            let result = call(keepingDrained: count > 0) { SSL_read(handle, memory.baseAddress! + count, size) }
            if result > 0 {
                count += Int(result)
            } else {
                return Channel.Received(count: count, rest: ending(result).map { .ended($0) } ?? .nothing)
            }
        }
        return Channel.Received(count: count)
    }

    func send(_ bytes: UnsafeRawBufferPointer) throws(Ending) -> Int {
        let result = call { SSL_write(handle, bytes.baseAddress!, Int32(clamping: bytes.count)) }
        isWithinRecord = result <= 0
        if result > 0 {
            wantsWrite = false
            return Int(result)
        }
        if let ending = ending(result) { throw ending }
        return 0
    }

    func close() {
        _ = call { SSL_shutdown(handle) }
    }

    private func call(keepingDrained: Bool = false, _ body: () -> Int32) -> Int32 {
        ERR_clear_error()
        wire.pointee.begin(keepingDrained: keepingDrained)
        return body()
    }

    /// Why a call ended the connection; nil if it has to be made again later.
    private func ending(_ result: Int32) -> Ending? {
        switch SSL_get_error(handle, result) {
        case SSL_ERROR_WANT_READ:
            wantsWrite = false
            return nil
        case SSL_ERROR_WANT_WRITE:
            wantsWrite = true
            return nil
        case SSL_ERROR_ZERO_RETURN:
            return .closed
        default:
            if let failure = TLSFailure(verifying: SSL_get_verify_result(handle), tls, options) { return .tls(failure) }
            if wire.pointee.isAtEnd { return isOpen ? .closed : .tls(.brokenOff(options)) }
            if wire.pointee.failure != 0 { return .system([wire.pointee.failure]) }
            return .tls(.queued(options))
        }
    }
}
