import Glibc
import Testing

@testable import LibPQ

/// Runs a call that must hang, and expects the client's own deadline to end it.
private func expectTimeout(
    of connection: Connection, _ operation: PostgresError.Operation, _ body: () throws(PostgresError) -> Void
) throws {
    let start = ContinuousClock.now
    let error = try #require(throws: PostgresError.self) { try body() }
    let took = ContinuousClock.now - start
    #expect(error.kind == .timedOut && error.operation == operation)
    #expect(error.endsConnection)
    #expect(!connection.isUsable)
    let limit = connection.statementTimeout + connection.grace
    #expect(took >= limit)
    #expect(took < limit + .seconds(5))
}

/// Stops the server's process for one connection, as a hanging machine would; lets it go on at the end.
private func withStoppedBackend(of connection: Connection, _ body: () throws -> Void) throws {
    let id = connection.backendID
    try #require(kill(id, SIGSTOP) == 0, "the tests must run as root or as the server's user")
    defer { kill(id, SIGCONT) }
    try body()
}

private func connect(grace: Duration = .milliseconds(300)) throws -> Connection {
    let connection = try TestDatabase.connect(statementTimeout: .milliseconds(200))
    connection.grace = grace
    try connection.script("CREATE TEMP TABLE t (series_id integer, ts timestamptz, v double precision)")
    return connection
}

private let copy = "COPY t FROM STDIN (FORMAT binary)"

private func buffer(rows: Int) -> CopyBuffer {
    var buffer = CopyBuffer(capacity: rows)
    for row in 0..<rows { buffer.appendPoint(series: 1, microseconds: Int64(row), value: 1) }
    return buffer
}

@Suite("A server that hangs is noticed within the deadline")
struct HangingServerTests {
    @Test("which is five seconds past the statement's own")
    func defaultGrace() throws {
        let connection = try TestDatabase.connect(statementTimeout: .milliseconds(200))
        #expect(connection.grace == .seconds(5))
        try withStoppedBackend(of: connection) {
            try expectTimeout(of: connection, .execute) { () throws(PostgresError) in
                try connection.execute("SELECT 1")
            }
        }
    }

    @Test("by a statement too large for the socket's buffer")
    func largeStatement() throws {
        let connection = try connect()
        let large = Parameter.text(String(repeating: "x", count: 32 << 20))
        try withStoppedBackend(of: connection) {
            try expectTimeout(of: connection, .execute) { () throws(PostgresError) in
                try connection.execute("SELECT $1", [large])
            }
        }
    }

    @Test("by a script, and by the commit of a transaction")
    func scriptAndCommit() throws {
        let first = try connect()
        try withStoppedBackend(of: first) {
            try expectTimeout(of: first, .script) { () throws(PostgresError) in try first.script("SELECT 1") }
        }
        let second = try connect()
        let id = second.backendID
        defer { kill(id, SIGCONT) }
        try expectTimeout(of: second, .commit) { () throws(PostgresError) in
            try second.transaction { () throws(PostgresError) in _ = kill(id, SIGSTOP) }
        }
    }

    @Test("by a COPY that waits to begin")
    func copyBegin() throws {
        let connection = try connect()
        try withStoppedBackend(of: connection) {
            try expectTimeout(of: connection, .copy) { () throws(PostgresError) in
                try connection.copy(copy, from: buffer(rows: 10))
            }
        }
    }

    @Test("by a COPY under way, before and after the last byte was sent", arguments: [10, 1_000_000])
    func copyData(rows: Int) throws {
        let connection = try connect()
        try connection.script(
            """
            SET statement_timeout = 0;
            CREATE FUNCTION pg_temp.hang() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$;
            CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION pg_temp.hang()
            """)
        let id = connection.backendID
        let buffer = buffer(rows: rows)
        try expectTimeout(of: connection, .copy) { () throws(PostgresError) in
            try connection.copy(copy, from: buffer)
        }
        _ = try TestDatabase.connect().execute("SELECT pg_terminate_backend($1)", [.int4(id)])
    }
}

@Suite("A backend that is terminated gives a lost connection")
struct TerminatedBackendTests {
    private func expectLoss(
        of connection: Connection, code: SQLState?, _ body: () throws(PostgresError) -> Void
    ) throws {
        let error = try #require(throws: PostgresError.self) { try body() }
        #expect(error.kind == .connectionLost)
        #expect(error.sqlState == code, "\(error)")
        #expect(error.endsConnection)
        #expect(!connection.isUsable)
    }

    @Test("in the middle of a query")
    func query() throws {
        let connection = try connect(grace: .seconds(20))
        try expectLoss(of: connection, code: .adminShutdown) { () throws(PostgresError) in
            try connection.execute("SELECT pg_terminate_backend(pg_backend_pid()), pg_sleep(10)")
        }
    }

    @Test("in the middle of a transaction, whose rollback is not tried")
    func transaction() throws {
        let connection = try connect(grace: .seconds(20))
        try expectLoss(of: connection, code: .adminShutdown) { () throws(PostgresError) in
            try connection.transaction { () throws(PostgresError) in
                try connection.script("SELECT pg_terminate_backend(pg_backend_pid())")
            }
        }
    }

    @Test("in the middle of a COPY, early or late", arguments: [2, 400_000])
    func copyData(row: Int) throws {
        let connection = try TestDatabase.connect()
        try connection.script(
            """
            CREATE TEMP TABLE t (series_id integer, ts timestamptz, v double precision);
            CREATE FUNCTION pg_temp.die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$;
            CREATE TRIGGER t BEFORE INSERT ON t FOR EACH ROW
                WHEN (NEW.ts = to_timestamp(0) + \(row) * interval '1 us') EXECUTE FUNCTION pg_temp.die()
            """)
        try expectLoss(of: connection, code: .adminShutdown) { () throws(PostgresError) in
            try connection.copy(copy, from: buffer(rows: 500_000))
        }
    }

    @Test("while idle, at the next statement")
    func idle() throws {
        let connection = try connect(grace: .seconds(20))
        let other = try TestDatabase.connect()
        #expect(try other.execute("SELECT pg_terminate_backend($1, 5000)", [.int4(connection.backendID)]).bool(0, 0))
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT 1") }
        #expect(error.kind == .connectionLost)
        #expect(!connection.isUsable)
    }
}
