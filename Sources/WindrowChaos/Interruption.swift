import Glibc
import Synchronization

/// Ctrl-C: the run ends, and its servers with it.
enum Interruption {
    struct Interrupted: Error {}

    private static let isRequested = Atomic(false)

    /// From now on SIGINT and SIGTERM end the run in order; a second one ends the process.
    static func watch() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                Interruption.isRequested.store(true, ordering: .releasing)
                signal(number, SIG_DFL)
            }
        }
    }

    static func check() throws {
        if isRequested.load(ordering: .acquiring) { throw Interrupted() }
    }
}
