/// Numbers for people.
enum Numbers {
    /// 1234567 as 1,234,567.
    static func grouped(_ number: Int) -> String {
        var digits = String(number.magnitude)
        var place = digits.index(digits.endIndex, offsetBy: 0)
        while let next = digits.index(place, offsetBy: -3, limitedBy: digits.startIndex), next != digits.startIndex {
            digits.insert(",", at: next)
            place = next
        }
        return (number < 0 ? "-" : "") + digits
    }

    static func rate(_ count: Int, over seconds: Double) -> String {
        seconds > 0 ? grouped(Int((Double(count) / seconds).rounded())) : "0"
    }

    static func bytes(_ count: Double) -> String {
        switch count {
        case ..<10_000: "\(Int(count)) B"
        case ..<10_000_000: "\(Int(count / 1000)) kB"
        default: "\(Int(count / 1_000_000)) MB"
        }
    }

    static func milliseconds(_ milliseconds: Double?) -> String {
        guard let milliseconds else { return "–" }
        return milliseconds < 10
            ? "\(decimal(milliseconds, 1)) ms"
            : milliseconds < 10_000 ? "\(Int(milliseconds.rounded())) ms" : "\(decimal(milliseconds / 1000, 1)) s"
    }

    static func decimal(_ number: Double, _ digits: Int) -> String {
        var power = 1.0
        for _ in 0..<digits { power *= 10 }
        let scaled = Int((number * power).rounded())
        guard digits > 0 else { return "\(scaled)" }
        let fraction = String(scaled.magnitude % UInt(power))
        return "\(scaled < 0 ? "-" : "")\(scaled.magnitude / UInt(power))."
            + String(repeating: "0", count: digits - fraction.count) + fraction
    }

    /// 75 as 1 min 15 s.
    static func duration(_ seconds: Double) -> String {
        let whole = Int(seconds)
        if whole >= 3600 { return "\(whole / 3600) h \(whole / 60 % 60) min" }
        if whole >= 60 { return "\(whole / 60) min \(whole % 60) s" }
        return seconds < 10 ? "\(decimal(seconds, 1)) s" : "\(whole) s"
    }
}
