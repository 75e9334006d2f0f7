import Glibc
import Synchronization

/// Nanoseconds on the monotonic clock.
func monotonicNow() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
}

/// What all gateways of a run go by, and what its owner tells them.
final class Course: Sendable {
    let begin: Int64
    let dropOuts: DropOuts
    /// What is due after it is not sent.
    private let end: Atomic<Int64>
    private let halted = Atomic(false)
    private let aborted = Atomic(false)
    /// Positions per second of each gateway; 0 for as many as can be.
    private let speedBits: Atomic<UInt64>

    init(begin: Int64, end: Int64?, dropOuts: DropOuts, speed: Double?) {
        self.begin = begin
        self.dropOuts = dropOuts
        self.end = Atomic(end ?? .max)
        speedBits = Atomic((speed ?? 0).bitPattern)
    }

    /// Nothing new is sent from now on; what is under way is waited for.
    func halt() { halted.store(true, ordering: .releasing) }
    /// Nothing is waited for any more.
    func abort() { aborted.store(true, ordering: .releasing) }
    func set(speed: Double) { speedBits.store(speed.bitPattern, ordering: .releasing) }

    var endMoment: Int64 { end.load(ordering: .acquiring) }
    var isHalted: Bool { halted.load(ordering: .acquiring) }
    var isAborted: Bool { aborted.load(ordering: .acquiring) }
    var speed: Double { Double(bitPattern: speedBits.load(ordering: .acquiring)) }

    func seconds(_ moment: Int64) -> Double { Double(moment - begin) / 1e9 }
    func moment(_ seconds: Double) -> Int64 { begin + Int64(min(seconds, 1e9) * 1e9) }

    /// When a gateway that is away comes back; nil if it is not away.
    func returns(_ gateway: Int, _ now: Int64) -> Int64? {
        guard !isHalted, now < endMoment else { return nil }
        let next = dropOuts.next(gateway, at: seconds(now))
        return next.lowerBound <= seconds(now) ? min(moment(next.upperBound), endMoment) : nil
    }

    /// When a gateway that is there vanishes next.
    func vanishes(_ gateway: Int, _ now: Int64) -> Int64 {
        dropOuts.share == 0 ? .max : moment(dropOuts.next(gateway, at: seconds(now)).lowerBound)
    }
}
