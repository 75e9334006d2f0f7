/// A text that must not reach a log, a status page or a crash report: a password, or a connection string that may hold one.
///
/// Printing it in any way (`description`, `debugDescription`, `dump`, as a part of another value) shows `<redacted>`; the text
/// itself is had by naming `reveal`, which is easy to find in a review.
public struct Secret: Hashable, Sendable {
    /// The text, for the library call that needs it and for nothing else.
    public let reveal: String

    public init(_ text: String) {
        reveal = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "<redacted>" }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
