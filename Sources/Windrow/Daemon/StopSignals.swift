import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// The first SIGTERM or SIGINT stops the daemon gracefully; the second ends it at once, which loses nothing either.
enum StopSignals {
    static func handle(_ group: ServiceGroup, _ log: Logger) async {
        var isStopping = false
        for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
            if isStopping {
                log.warning("a second signal: ending at once; what is not written yet is in the journal")
                _exit(128 + signal.rawValue)
            }
            isStopping = true
            log.notice("stopping", metadata: ["signal": "\(signal)"])
            await group.triggerGracefulShutdown()
        }
    }
}
