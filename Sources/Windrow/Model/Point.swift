/// One measured value of one series.
///
/// Two 8-byte words without padding: the journal stores an array of points as its memory.
public struct Point: Equatable, Sendable {
    public var timestamp: Timestamp
    /// Finite, always: intake rejects NaN and infinities.
    public var value: Double

    @inlinable
    public init(timestamp: Timestamp, value: Double) {
        self.timestamp = timestamp
        self.value = value
    }
}
