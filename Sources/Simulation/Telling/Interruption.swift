import Glibc
import Synchronization

/// SIGINT and SIGTERM: the first one is heeded when its time has come, the second one ends the process.
enum Interruption {
    private static let count = Atomic(0)

    static func install() {
        for number in [SIGINT, SIGTERM] {
            // Nothing but what a signal's handler may do: an atomic addition, and _exit(2).
            signal(number) { number in
                if Interruption.count.add(1, ordering: .relaxed).oldValue > 0 { _exit(128 + number) }
            }
        }
    }

    static var hasCome: Bool { count.load(ordering: .relaxed) > 0 }
}

func pause(milliseconds: UInt32) { usleep(milliseconds * 1000) }
