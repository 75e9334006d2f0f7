/// Whether the dead letters are those that were provoked, and no others.
struct DeadLetterCheck {
    /// Reasons, with how many letters have each.
    private(set) var reasons: [String: Int] = [:]
    private(set) var complaints: [String] = []
    /// A letter says that the journal lost something.
    private(set) var isDamageTold = false

    /// - Parameters:
    ///   - poison: times of the points that PostgreSQL had to refuse, with the injection under which each was sent. A point that was
    ///     sent again may have been refused again.
    ///   - excused: an injection under which the journal was damaged: what it held may be lost if a letter says so.
    init(_ letters: [JournalReader.DeadLetter], poison: [Int64: Int], excused: Int?) {
        var missing: [String: Int64] = [:]
        for (time, injection) in poison where injection != excused { missing[Timestamp.text(time)] = time }
        let times = Set(poison.keys.map(Timestamp.text))
        for letter in letters {
            reasons[letter.reason, default: 0] += 1
            let points = letter.points
            let isProvoked =
                letter.reason == "refused_by_database" && !points.isEmpty
                && points.allSatisfy { $0.value == Edit.poisonValue && times.contains(Self.normal($0.time)) }
            if isProvoked {
                for point in points { missing[Self.normal(point.time)] = nil }
            } else if letter.reason == "journal_damaged", excused != nil {
                isDamageTold = true
            } else if letter.reason == "refused_by_database", excused != nil {
                // A copy out of a damaged journal, perhaps damaged itself.
                continue
            } else if complaints.count < 10 {
                let payload = String(decoding: letter.payload.prefix(200), as: UTF8.self)
                complaints.append(
                    "dead letter \(letter.reason) on \(letter.topic): \(letter.detail.prefix(200)) \(payload)")
            }
        }
        if !missing.isEmpty {
            complaints.append(
                "\(missing.count) of \(poison.count) points that PostgreSQL refuses are no dead letters, such as that of "
                    + (missing.keys.min() ?? ""))
        }
    }

    /// With all six digits of a fraction, or none.
    private static func normal(_ time: String) -> String {
        guard let dot = time.firstIndex(of: ".") else { return time }
        let digits = time[time.index(after: dot)...].dropLast()
        return time[..<dot] + "." + (digits + String(repeating: "0", count: max(0, 6 - digits.count))) + "Z"
    }
}
