/// Why a message or request was not accepted.
public struct Rejection: Error, Hashable, Sendable {
    public var reason: Reason
    /// A sentence for the person who has to mend the sender: what was found and what was expected.
    public var detail: String
    /// Where in the payload, as a JSON pointer (RFC 6901), when it is about a place in it.
    public var pointer: String?

    public init(_ reason: Reason, _ detail: String, pointer: String? = nil) {
        self.reason = reason
        self.detail = detail
        self.pointer = pointer
    }

    /// The class of a rejection. The raw values are stable: they label metrics and dead letters.
    public enum Reason: String, CaseIterable, Sendable {
        /// The topic matches no subscription's template.
        case wrongTopic = "wrong_topic"
        /// The node is neither a positive integer nor a UUID.
        case badNode = "bad_node"
        /// The tag is empty, too long, or has characters it must not have.
        case badTag = "bad_tag"
        case unknownNode = "unknown_node"
        case emptyPayload = "empty_payload"
        /// Larger than a thirty-second of `journal.max_size`.
        case tooLarge = "too_large"
        case invalidUTF8 = "invalid_utf8"
        case malformedJSON = "malformed_json"
        case tooDeep = "too_deep"
        /// Well-formed JSON that has not one of the shapes that are understood.
        case wrongShape = "wrong_shape"
        /// `v` is missing, not a number, or not finite.
        case badValue = "bad_value"
        /// `ts` is missing where it is needed, or not a timestamp.
        case badTimestamp = "bad_timestamp"
        /// Outside `timestamps.oldest` … `timestamps.newest`.
        case timestampOutOfBounds = "timestamp_out_of_bounds"
        case badOverwrite = "bad_overwrite"
        /// The explicit window is reversed, incomplete, or does not go with the overwrite mode.
        case badWindow = "bad_window"
        /// A point outside the explicit window.
        case outsideWindow = "outside_window"
        /// The window is longer than `replace.max_span`.
        case windowTooLong = "window_too_long"
        /// A batch of the journal that fails its checksum.
        case journalDamaged = "journal_damaged"
        /// PostgreSQL refuses the row for its content.
        case refusedByDatabase = "refused_by_database"
    }
}
