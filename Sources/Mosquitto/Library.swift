internal import CMosquitto
import Synchronization

/// What libmosquitto sets up once for the whole process. None of it is ever undone: it ends with the process.
enum Library {
    /// `mosquitto_lib_init` is not thread-safe; a global's initial value is computed by one thread only.
    static let initialized: Int32 = mosquitto_lib_init()

    private static let tlsIsSetUp = Mutex(false)

    /// Runs the start of a TLS connection: alone until one has succeeded, then without a lock.
    ///
    /// libmosquitto sets up TLS in the first connection that needs it, without a lock. Two threads doing so at once
    /// give their handles different slots for their context, and one of them then refuses a good certificate.
    static func startingTLS(_ start: () -> Int32) -> Int32 {
        let first = tlsIsSetUp.withLock { isSetUp -> Int32? in
            if isSetUp { return nil }
            let code = start()
            // A failed name lookup comes before the set-up, any trouble with TLS after it.
            isSetUp = code == MOSQ_ERR_SUCCESS.rawValue || code == MOSQ_ERR_TLS.rawValue
            return code
        }
        return first ?? start()
    }
}
