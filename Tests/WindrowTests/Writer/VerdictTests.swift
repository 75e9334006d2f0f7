import LibPQ
import Testing

@testable import Windrow

@Suite struct VerdictTests {
    private func error(_ code: String, constraint: String? = nil) -> PostgresError {
        var error = PostgresError(
            operation: .copy, kind: .server, sqlState: SQLState(rawValue: code), message: "no")
        error.constraint = constraint
        return error
    }

    @Test(
        "SQLSTATE decides whether data are tried again, left out, or wait for an operator",
        arguments: [
            // A trigger that raises; value out of range; not null.
            ("P0001", PostgresError.Verdict.reject), ("22003", .reject), ("38000", .reject), ("44000", .reject),
            ("U0001", .reject),
            // Read-only standby, deadlock, serialization, full disk, too many clients, cancelled, shutdown, I/O, internal.
            ("25006", .retry), ("40P01", .retry), ("40001", .retry), ("53100", .retry), ("53300", .retry),
            ("57014", .retry), ("57P01", .retry), ("58030", .retry), ("XX000", .retry), ("55P03", .retry),
            ("08006", .retry),
            // No privilege, no table, no column, no schema, no database, unsupported.
            ("42501", .stop), ("42P01", .stop), ("42703", .stop), ("3F000", .stop), ("3D000", .stop), ("0A000", .stop),
            // A column or a sequence that the table has got and Windrow does not know.
            ("23502", .stop), ("2200H", .stop), ("21000", .stop),
        ])
    func table(code: String, verdict: PostgresError.Verdict) {
        #expect(error(code).verdict == verdict)
    }

    @Test("a check that fails is the data's fault; a partition that is missing is not")
    func check() {
        #expect(error("23514", constraint: "sane").verdict == .reject)
        #expect(error("23514").verdict == .stop)
    }

    @Test("without a word from the server it is tried again, except for a call that can never work")
    func silent() {
        for kind in [PostgresError.Kind.connectionFailed, .connectionLost, .timedOut] {
            #expect(PostgresError(operation: .commit, kind: kind, message: "gone").verdict == .retry)
        }
        #expect(PostgresError(operation: .execute, kind: .usage, message: "NUL").verdict == .stop)
    }
}
