import Foundation

/// How far a command has come, on standard error: on a terminal a line that is redrawn four times a second, else a line every ten
/// seconds.
final class ProgressLine {
    private let subject: String
    private let isQuiet: Bool
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private let started = ContinuousClock.now
    private var drawnAt = ContinuousClock.now
    private var isDrawn = false
    /// Of the first report: an import may begin in the middle.
    private var firstShare: Double?

    init(_ subject: String, isQuiet: Bool) {
        self.subject = subject
        self.isQuiet = isQuiet
    }

    /// - Parameters:
    ///   - share: the part that is done, of 1; nil when that is not known.
    ///   - what: such as `checking`; what stands in the place of a rate.
    func show(share: Double?, points: Int, _ what: String? = nil) {
        if firstShare == nil { firstShare = share }
        guard !isQuiet, .now - drawnAt >= (isTerminal ? .milliseconds(250) : .seconds(10)) else { return }
        drawnAt = .now
        let line = text(share, points, what)
        if isTerminal {
            write("\r\u{1B}[K" + String(line.prefix(width - 1)))
            isDrawn = true
        } else {
            write(line + "\n")
        }
    }

    /// Takes the line away.
    func clear() {
        if isDrawn { write("\r\u{1B}[K") }
        isDrawn = false
    }

    private func text(_ share: Double?, _ points: Int, _ what: String?) -> String {
        var parts: [String] = []
        if let share {
            parts.append("\(Int(share * 100)) %")
            if isTerminal {
                let done = Int(share * 20)
                parts.append("[" + String(repeating: "#", count: done) + String(repeating: " ", count: 20 - done) + "]")
            }
        }
        parts.append("\(grouped(points)) points")
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        if let what {
            parts.append(what)
        } else if seconds > 0 {
            parts.append("\(grouped(Int(Double(points) / seconds)))/s")
            if let share, let firstShare, share > firstShare {
                parts.append("\(Self.time((1 - share) / (share - firstShare) * seconds)) left")
            }
        }
        return "\(subject): " + parts.joined(separator: isTerminal ? "  " : ", ")
    }

    private static func time(_ seconds: Double) -> String {
        let seconds = Int(seconds.rounded(.up))
        switch seconds {
        case ..<60: return "\(seconds) s"
        case ..<3600: return "\(seconds / 60) min \(seconds % 60) s"
        default: return "\(seconds / 3600) h \(seconds / 60 % 60) min"
        }
    }

    private var width: Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 20 ? Int(size.ws_col) : 80
    }

    private func write(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }
}

/// With commas between groups of three digits.
func grouped(_ number: Int) -> String {
    let digits = Array(String(number.magnitude))
    var text = number < 0 ? "-" : ""
    for (place, digit) in digits.enumerated() {
        if place > 0, (digits.count - place) % 3 == 0 { text.append(",") }
        text.append(digit)
    }
    return text
}

/// `1 line`, `2 lines`.
func counted(_ number: Int, _ noun: String) -> String {
    let plural = noun == "series" ? noun : noun.hasSuffix("ch") ? noun + "es" : noun + "s"
    return "\(grouped(number)) \(number == 1 ? noun : plural)"
}
