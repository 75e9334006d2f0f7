/// What a writer may say about points that are there already; `overwrite` in the REST call, the payload and the configuration.
public enum Overwrite: String, CaseIterable, Sendable {
    case insert
    case updateWindow = "update_window"
    case replaceWindow = "replace_window"
}

/// What an edit does with its points.
public enum EditAction: Hashable, Sendable {
    /// Stores a point where the series has none at that timestamp.
    case insert
    /// Stores every point; one at the same timestamp gets the new value.
    case update
    /// Deletes all that the series has in the range, then stores the points, all of which lie inside it.
    case replace(TimeRange)
    /// A message of a stream window, whose range is not settled yet: acceptance turns it into `replace`.
    case stream(StreamRule)
}

/// The stream-window rule of one subscription (`overwrite: replace_window` in the configuration).
public struct StreamRule: Hashable, Sendable {
    /// Tells the subscriptions of a domain apart: another subscription's message is somebody else's edit.
    public var stream: Int32
    /// Microseconds; a longer silence between two points ends the window.
    public var maxGap: Int64
    /// Microseconds; the window spans no more than this.
    public var maxSpan: Int64

    public init(stream: Int32, maxGap: Int64, maxSpan: Int64) {
        self.stream = stream
        self.maxGap = maxGap
        self.maxSpan = maxSpan
    }
}

/// One writer's intent for one series, inside a `RecordBatch`: its series and points are places in the batch's arrays.
public struct Edit: Hashable, Sendable {
    /// Index into `RecordBatch.series`.
    public var series: Int32
    public var action: EditAction
    /// Index of the first point in `RecordBatch.points`.
    public var firstPoint: Int32
    /// The points of an edit ascend strictly by time.
    public var pointCount: Int32
    /// The first edit of a record; the edits up to the next such one belong to the same record.
    public var startsRecord: Bool

    public var points: Range<Int> { Int(firstPoint)..<Int(firstPoint) + Int(pointCount) }
}
