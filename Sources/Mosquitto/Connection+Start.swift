internal import CMosquitto
import Glibc

extension Connection {
    func configure() throws(MosquittoError) {
        try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION, MQTT_PROTOCOL_V5))
        try demand(mosquitto_int_option(mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, Int32(options.receiveMaximum)))
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
        // It insists on a file or folder of authorities even if the system's are to be used: a folder that cannot
        // exist. Without the callback, OpenSSL would ask the terminal for the passphrase of an encrypted key.
        try demand(
            mosquitto_tls_set(
                mosquitto, tls.caFile, tls.caFile == nil ? "/dev/null" : nil, tls.certificateFile, tls.keyFile
            ) { _, _, _, _ in -1 })
    }

    func start() throws(MosquittoError) {
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

    /// Only the blocking connect takes properties. It stores a copy before it looks at the host, so without a host it
    /// does that and no more; the non-blocking connect then sends them.
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
}
