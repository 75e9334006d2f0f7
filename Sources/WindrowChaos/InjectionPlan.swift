/// Which fault comes next: all that were chosen once, in a random order, then all of them once more in another.
struct InjectionPlan {
    /// One injection. Its details come from a generator of its own.
    struct Injection {
        var kind: FaultKind
        /// Before it.
        var calm: Duration
        var generator: Generator
        /// How many of this kind came before.
        var round: Int
    }

    private let seed: UInt64
    private let kinds: [FaultKind]
    private let timing: Timing
    private var generator: Generator
    private var round: [FaultKind] = []
    private var number = 0

    init(seed: UInt64, kinds: [FaultKind], timing: Timing) {
        self.seed = seed
        self.kinds = kinds
        self.timing = timing
        generator = Generator(seed: seed, stream: 1000)
    }

    /// nil when no faults were chosen.
    mutating func next() -> Injection? {
        guard !kinds.isEmpty else { return nil }
        if round.isEmpty { round = kinds.shuffled(using: &generator) }
        return injection(round.removeFirst())
    }

    /// One after all others.
    mutating func last(_ kind: FaultKind) -> Injection { injection(kind) }

    private mutating func injection(_ kind: FaultKind) -> Injection {
        number += 1
        return Injection(
            kind: kind, calm: generator.seconds(timing.calm),
            generator: Generator(seed: seed, stream: 10_000 + number), round: (number - 1) / max(1, kinds.count))
    }
}
