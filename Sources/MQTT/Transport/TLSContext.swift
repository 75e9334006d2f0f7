internal import COpenSSL
import Glibc

/// What TLS sessions are made from: the authorities to trust, the client's certificate, the least version. Made anew for
/// each connection, so that renewed files count.
final class TLSContext {
    /// Freed with this; a session holds a reference of its own.
    let handle: OpaquePointer

    /// Reads the files.
    init(_ options: Client.TLS) throws(TLSFileError) {
        ERR_clear_error()
        guard let handle = SSL_CTX_new(TLS_client_method()) else { throw TLSFileError(nil, TLSFailure.queued().text) }
        self.handle = handle
        // Through the functions behind macros that Swift does not take over.
        SSL_CTX_ctrl(handle, SSL_CTRL_SET_MIN_PROTO_VERSION, Int(TLS1_2_VERSION), nil)
        // Sending goes on where it stopped, from wherever the bytes lie by then.
        SSL_CTX_ctrl(
            handle, SSL_CTRL_MODE, Int(SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER), nil)
        // One system call for many records.
        SSL_CTX_ctrl(handle, SSL_CTRL_SET_READ_AHEAD, 1, nil)
        SSL_CTX_set_default_read_buffer_len(handle, 1 << 17)
        SSL_CTX_set_options(handle, windrow_SSL_OP_NO_RENEGOTIATION)
        SSL_CTX_set_verify(handle, SSL_VERIFY_PEER, nil)
        // There is nobody to ask for a passphrase. Without this, OpenSSL would ask the terminal.
        SSL_CTX_set_default_passwd_cb(handle) { _, _, _, _ in -1 }
        try trust(options.caFile)
        if let certificate = options.certificateFile, let key = options.keyFile { try show(certificate, key) }
    }

    deinit { SSL_CTX_free(handle) }

    private func trust(_ caFile: String?) throws(TLSFileError) {
        guard let caFile else {
            guard SSL_CTX_set_default_verify_paths(handle) == 1 else {
                throw TLSFileError(nil, "cannot use the system's authorities: \(TLSFailure.queued().text)")
            }
            return
        }
        try use(caFile, as: "authorities to trust") { SSL_CTX_load_verify_locations(handle, caFile, nil) }
    }

    private func show(_ certificate: String, _ key: String) throws(TLSFileError) {
        try use(certificate, as: "a certificate") { SSL_CTX_use_certificate_chain_file(handle, certificate) }
        try use(key, as: "a private key") { SSL_CTX_use_PrivateKey_file(handle, key, SSL_FILETYPE_PEM) }
        try use(key, as: "the key of \(certificate)") { SSL_CTX_check_private_key(handle) }
    }

    private func use(_ file: String, as purpose: String, _ call: () -> Int32) throws(TLSFileError) {
        let descriptor = open(file, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TLSFileError(file, errno: errno) }
        close(descriptor)
        ERR_clear_error()
        guard call() != 1 else { return }
        let failure = TLSFailure.queued()
        throw TLSFileError(
            file, "cannot use \(file) as \(purpose): \(failure.isLocked ? "it is encrypted" : failure.text)",
            hint: failure.isLocked ? "there is nobody to ask for a passphrase: store the key without one" : nil)
    }
}

/// A TLS file that cannot be used.
struct TLSFileError: Error {
    var error: MQTTError

    fileprivate init(_ file: String?, _ message: String, hint: String? = nil) {
        error = MQTTError(operation: .connect, code: .tls, message: "TLS: \(message)", hint: hint)
    }

    fileprivate init(_ file: String, errno: Int32) {
        error = MQTTError(
            operation: .connect, code: .system, errno: errno,
            message: "cannot read the TLS file \(file): \(systemMessage(errno))")
    }
}
