/// The unit in which a subscription's publishers write numeric timestamps, counted from 1970-01-01T00:00:00Z.
public enum EpochUnit: String, CaseIterable, Sendable {
    case seconds = "s"
    case milliseconds = "ms"
    case microseconds = "us"
    case nanoseconds = "ns"
}
