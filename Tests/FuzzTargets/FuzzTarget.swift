/// What a fuzzer does with one input, by the name that `deploy/fuzz` knows it under.
///
/// Each decodes the input as the daemon would, and compares what comes out with a model that says the same in the plainest way. What
/// an input does depends on nothing but its bytes: each run has decoders of its own.
public enum FuzzTarget: String, CaseIterable, Sendable {
    case topic, payload, timestamp, journal, body, query, mqtt

    /// - Returns: whether anything in the input was accepted.
    /// - Throws: when a promise is broken.
    @discardableResult
    public func run(_ input: UnsafeRawBufferPointer) throws(Violation) -> Bool {
        switch self {
        case .topic: try TopicTarget.run(input)
        case .payload: try PayloadTarget.run(input)
        case .timestamp: try TimestampTarget.run(input)
        case .journal: try JournalTarget.run(input)
        case .body: try BodyTarget.run(input)
        case .query: try QueryTarget.run(input)
        case .mqtt: try MQTTTarget.run(input)
        }
    }
}

/// A promise that an input breaks.
public struct Violation: Error, CustomStringConvertible {
    public var description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Throws a violation unless the promise holds.
func check(_ holds: Bool, _ promise: @autoclosure () -> String) throws(Violation) {
    if !holds { throw Violation(promise()) }
}
