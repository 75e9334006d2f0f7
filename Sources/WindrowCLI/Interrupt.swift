import Foundation
import Synchronization

/// SIGINT and SIGTERM end a command after what is under way; a second one ends it at once.
enum Interrupt {
    private static let received = Atomic<Int32>(0)

    static func install() {
        for number in [SIGINT, SIGTERM] {
            signal(number) { number in
                if Interrupt.received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
            }
        }
    }

    static var isReceived: Bool { received.load(ordering: .relaxed) != 0 }
    /// As a shell gives it for the signal.
    static var exitCode: Int32 { 128 + received.load(ordering: .relaxed) }
}
