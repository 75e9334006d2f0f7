import Foundation

/// The outcome of a run, as a table for people.
struct Report {
    /// What happened under one injection.
    struct Injected {
        var kind: FaultKind
        /// Nil when it did not recover.
        var recovery: Duration?
    }

    /// From injection 1 on.
    var injected: [Injected] = []
    var tallies: [Int: Tally] = [:]
    /// Points, by the injection under which they were acknowledged.
    var acknowledged: [Int: Int] = [:]
    var leftOut: [(kind: FaultKind, why: String)] = []

    /// One line of the table.
    private struct Line {
        var times = 0
        var acknowledged = 0
        var tally = Tally()
        var recovery = Duration.zero
        var failed = 0

        static func += (left: inout Line, right: Line) {
            left.times += right.times
            left.acknowledged += right.acknowledged
            left.tally += right.tally
            left.recovery = max(left.recovery, right.recovery)
            left.failed += right.failed
        }

        var cells: [String] {
            [
                times == 0 ? "" : Report.number(times), Report.number(acknowledged), Report.number(tally.stored),
                Report.number(tally.lost), Report.number(tally.wrong), Report.number(tally.doubled),
                failed > 0 ? "\(failed) times not" : times == 0 ? "" : String(format: "%.1f s", recovery / .seconds(1)),
            ]
        }
    }

    var table: String {
        var lines: [FaultKind?: Line] = [:]
        for (index, injection) in injected.enumerated() {
            lines[injection.kind, default: Line()] += Line(
                times: 1, acknowledged: acknowledged[index + 1] ?? 0, tally: tallies[index + 1] ?? Tally(),
                recovery: injection.recovery ?? .zero, failed: injection.recovery == nil ? 1 : 0)
        }
        var calm = Line(acknowledged: acknowledged[0] ?? 0, tally: tallies[0] ?? Tally())
        // Times count injections only.
        calm.times = 0
        lines[nil] = calm
        var rows = [["fault", "times", "acknowledged", "stored", "lost", "wrong", "doubled", "longest recovery"]]
        for kind in FaultKind.allCases {
            if let line = lines[kind] {
                rows.append([kind.rawValue] + line.cells)
            } else if let why = leftOut.first(where: { $0.kind == kind })?.why {
                rows.append([kind.rawValue, "0", "", "", "", "", "", "left out: \(why)"])
            }
        }
        rows.append(["(none)"] + calm.cells)
        var total = Line()
        for line in lines.values { total += line }
        rows.append(["total"] + total.cells)
        return Self.align(rows)
    }

    /// Columns of one width, numbers to the right.
    private static func align(_ rows: [[String]]) -> String {
        let widths = rows[0].indices.map { column in
            rows.map { column == 7 && $0[7].hasPrefix("left") ? 0 : $0[column].count }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, text in
                let space = String(repeating: " ", count: max(0, widths[column] - text.count))
                return column == 0 || text.hasPrefix("left") ? text + space : space + text
            }
            return "| " + cells.joined(separator: " | ") + " |"
        }.enumerated().flatMap { index, line in
            index == 0
                ? [line, "|" + widths.map { String(repeating: "-", count: $0 + 2) }.joined(separator: "|") + "|"]
                : [line]
        }.joined(separator: "\n")
    }

    /// With commas.
    static func number(_ value: Int) -> String {
        var digits = String(abs(value))
        var place = digits.count - 3
        while place > 0 {
            digits.insert(",", at: digits.index(digits.startIndex, offsetBy: place))
            place -= 3
        }
        return (value < 0 ? "-" : "") + digits
    }
}
