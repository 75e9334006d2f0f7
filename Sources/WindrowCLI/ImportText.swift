import Windrow

/// What an import says at its end.
enum ImportText {
    static func summary(_ summary: ImportSummary, _ skipBad: String?) -> String {
        let totals = summary.totals
        let seconds = summary.took / .seconds(1)
        var lines = [
            "\(summary.input): \(counted(totals.points, "point")) of \(counted(summary.series, "series")) in "
                + "\(time(seconds)) s (\(grouped(Int(Double(totals.points) / max(seconds, 0.001))))/s)",
            "  inserted \(grouped(totals.inserted)), updated \(grouped(totals.updated)), kept \(grouped(totals.kept)), "
                + "superseded \(grouped(totals.superseded)), refused \(grouped(totals.refused))",
        ]
        if let place = summary.resumedAt {
            lines.append("  counted from line \(grouped(place.lines + 1)) on, where it was resumed")
        }
        if summary.failovers > 0 {
            lines.append(
                "  PostgreSQL failed over \(counted(summary.failovers, "time")); what it had lost was written once more and is counted twice"
            )
        }
        if totals.emptied > 0 {
            lines.append(
                "  \(counted(totals.emptied, "window")) replaced, from which \(counted(totals.deleted, "point")) deleted"
            )
        }
        if let skipBad, summary.badLineCount > 0 {
            lines.append(
                "  \(counted(summary.badLineCount, "line")) skipped (\(reasons(summary))): they are in \(skipBad), and why in "
                    + "\(skipBad).reasons")
        }
        return lines.joined(separator: "\n")
    }

    static func plan(_ plan: ImportPlan, of summary: ImportSummary) -> String {
        var lines = [
            "\(summary.input): \(counted(plan.points, "point")) of \(counted(plan.series, "series")) in "
                + counted(plan.lines, "line")
        ]
        if let range = plan.range { lines.append("  from \(range.first) to \(range.last)") }
        if let nodes = plan.newNodes, let series = plan.newSeries {
            lines.append("  new in the database: \(counted(nodes, "node")), \(counted(series, "series"))")
        } else if let obstacle = plan.obstacle {
            lines.append("  what is new in the database is not known: \(obstacle)")
        }
        if plan.windows > 0 {
            lines.append(
                "  replaced: the windows of \(counted(plan.windows, "series")), from its first to its last point")
        }
        if summary.badLineCount > 0 {
            lines.append("  \(counted(summary.badLineCount, "line")) cannot be imported (\(reasons(summary)))")
        }
        lines.append("  nothing was changed")
        return lines.joined(separator: "\n")
    }

    /// The first ones, and how many there are.
    static func tellBadLines(_ summary: ImportSummary, isSkipping: Bool) {
        if isSkipping { return }
        for line in summary.badLines { printError(line) }
        let more = summary.badLineCount - summary.badLines.count
        if more > 0 { printError("and \(counted(more, "bad line")) more") }
    }

    /// What is committed, and how to go on.
    static func tellIncomplete(_ summary: ImportSummary, _ overwrite: Overwrite) {
        let committed = summary.committed
        guard committed.lines > 0 else {
            printError("\(summary.input): nothing is imported")
            return
        }
        let share = summary.isResumable ? "\(Int(committed.share * 100)) %, " : ""
        printError(
            "\(summary.input): \(share)up to line \(grouped(committed.lines)), is imported: \(counted(summary.totals.points, "point")) "
                + "in this run")
        guard summary.isResumable else {
            printError("it cannot be resumed; importing the same again \(again(overwrite))")
            return
        }
        printError("the same command, with the same file, goes on from there")
        if summary.badLineCount > 0 {
            printError(
                "with --skip-bad FILE too; a file that was mended is another import, which begins anew and \(again(overwrite))"
            )
        }
    }

    private static func again(_ overwrite: Overwrite) -> String {
        overwrite == .insert
            ? "leaves what is stored as it is"
            : "writes over what others have written to its points meanwhile"
    }

    private static func reasons(_ summary: ImportSummary) -> String {
        summary.badReasons.map { "\(grouped($0.count)) \($0.reason.rawValue)" }.joined(separator: ", ")
    }

    private static func time(_ seconds: Double) -> String {
        let tenths = Int((seconds * 10).rounded())
        return "\(grouped(tenths / 10)).\(tenths % 10)"
    }
}
