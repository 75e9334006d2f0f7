import Glibc
import Logging
import ServiceLifecycle
import UnixSignals

/// SIGHUP reloads. The first SIGTERM or SIGINT stops the daemon gracefully; the second ends it at once, which loses nothing either.
enum Signals {
    /// A reload that is asked for before there is anything to reload must not end the process.
    static func ignoreUntilHandled() {
        signal(SIGHUP, SIG_IGN)
    }

    static func handle(_ group: ServiceGroup, _ log: Logger, reload: () -> Void) async {
        var isStopping = false
        for await signal in await UnixSignalsSequence(trapping: .sighup, .sigterm, .sigint) {
            if signal == .sighup {
                reload()
                continue
            }
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
