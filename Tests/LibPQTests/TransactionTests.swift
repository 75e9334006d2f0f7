import LibPQ
import Testing

@Suite("A transaction")
struct TransactionTests {
    private let connection: Connection

    init() throws {
        connection = try TestDatabase.connect()
        try connection.script("CREATE TEMP TABLE t (i int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    }

    private func stored() throws -> Int64 { try connection.execute("SELECT count(*) FROM t").int64(0, 0) }

    @Test("commits what its body did and returns what it returned")
    func commits() throws {
        let answer = try connection.transaction { () throws(PostgresError) in
            try connection.execute("INSERT INTO t VALUES (1)").affected
        }
        #expect(answer == 1)
        #expect(throws: Never.self) { try connection.script("ROLLBACK") }
        #expect(try stored() == 1)
    }

    @Test("rolls back when its body throws, and throws the same error")
    func rollsBack() throws {
        let own = PostgresError(operation: .read, kind: .usage, message: "mine")
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) -> Int in
                try connection.execute("INSERT INTO t VALUES (1)")
                throw own
            }
        }
        #expect(error == own)
        #expect(try stored() == 0)
        #expect(throws: Never.self) { try connection.transaction {} }
    }

    @Test("rolls back after a failed statement")
    func failedStatement() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("INSERT INTO t VALUES (1)")
                try connection.execute("SELECT 1/0")
            }
        }
        #expect(error.kind == .server)
        #expect(try stored() == 0)
    }

    @Test("does not pass for committed when its body hid an error")
    func hiddenError() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("INSERT INTO t VALUES (1)")
                _ = try? connection.execute("SELECT 1/0")
            }
        }
        #expect(error.operation == .commit && error.sqlState == .failedTransaction)
        #expect(try stored() == 0)
    }

    @Test("reports a constraint that fails at the commit")
    func deferredConstraint() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("INSERT INTO t VALUES (1), (1)")
            }
        }
        #expect(error.operation == .commit && error.sqlState == .uniqueViolation)
        #expect(try stored() == 0)
        #expect(throws: Never.self) { try connection.transaction {} }
    }

    @Test("does not begin inside another")
    func nested() throws {
        let error = try #require(throws: PostgresError.self) {
            try connection.transaction { () throws(PostgresError) in
                try connection.execute("INSERT INTO t VALUES (1)")
                try connection.transaction {}
            }
        }
        #expect(error.operation == .begin && error.kind == .usage)
        #expect(try stored() == 0)
    }
}
