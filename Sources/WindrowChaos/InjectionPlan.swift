/// Which fault comes next: all that were chosen once, in a random order, then all of them once more in another.
struct InjectionPlan {
    /// One injection. Its details come from a generator of its own.
    struct Injection {
        /// From 1 on.
        var number: Int
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

    mutating func next() -> Injection {
        if round.isEmpty { round = kinds.shuffled(using: &generator) }
        number += 1
        return Injection(
            number: number, kind: round.removeFirst(), calm: generator.seconds(timing.calm),
            generator: Generator(seed: seed, stream: 10_000 + number), round: (number - 1) / kinds.count)
    }
}
