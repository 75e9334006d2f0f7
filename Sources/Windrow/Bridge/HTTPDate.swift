import Glibc

/// The field `Date` of an answer (RFC 9110, section 5.6.7).
enum HTTPDate {
    /// Such as `Sun, 22 Nov 2026 15:07:27 GMT`.
    static var now: String { text(time(nil)) }

    static func text(_ seconds: time_t) -> String {
        var seconds = seconds
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 40) { buffer in
            // In English, for the process sets no locale.
            strftime(buffer.baseAddress!, buffer.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
            return String(cString: buffer.baseAddress!)
        }
    }
}
