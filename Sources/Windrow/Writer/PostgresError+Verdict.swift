import LibPQ

extension PostgresError {
    /// What a failure means for the data that were to be written.
    enum Verdict: Sendable {
        /// It passes by itself: try again, soon.
        case retry
        /// The server refuses the data themselves, and sending them again cannot help: leave out what is at fault.
        case reject
        /// The database is not as it must be, and only somebody who changes it can help: the data wait.
        case stop
    }

    /// Those of the server's own condition that begin like a user's.
    private static let systemClasses: Set<String> = ["53", "54", "55", "57", "58", "72"]

    /// A partitioned table has no partition for a row. It comes as a check violation of no constraint.
    var isMissingPartition: Bool { sqlState == .checkViolation && constraint == nil }

    /// By SQLSTATE alone (PostgreSQL documentation, appendix A), never by the message's text.
    var verdict: Verdict {
        guard kind == .server, let sqlState else { return kind == .usage ? .stop : .retry }
        switch sqlState.classCode {
        // It can be made, so the data can wait.
        case "23" where isMissingPartition: return .stop
        // Windrow writes no NULL: a column that it does not know wants a value. Nor does it use a sequence of the table's.
        case "23" where sqlState == .notNullViolation: return .stop
        case "22" where sqlState.rawValue == "2200H": return .stop
        // Data exceptions, integrity constraints, WITH CHECK OPTION, and what triggers raise, in PL/pgSQL and other languages.
        case "22", "23", "38", "44", "P0": return .reject
        // Classes that are left to users: their triggers raise them.
        case let code
        where code.first.map("56789IJKLMNOQRSTUVWYZ".contains) ?? false && !Self.systemClasses.contains(code):
            return .reject
        // Unsupported feature, cardinality, authorization, catalog, schema, syntax and access rules: also what a table of another
        // shape gives.
        case "0A", "21", "28", "3D", "3F", "42": return .stop
        default: return .retry
        }
    }
}
