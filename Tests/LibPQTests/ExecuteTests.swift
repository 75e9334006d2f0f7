import Glibc
import LibPQ
import Synchronization
import Testing

@Suite("A statement")
struct ExecuteTests {
    /// Both ways to run a statement.
    private static let ways: [@Sendable (Connection, String) throws -> Void] = [
        { try $0.execute($1) },
        { try $0.script($1) },
    ]

    @Test("reports the rows it touched")
    func affected() throws {
        let connection = try TestDatabase.connect()
        try connection.script("CREATE TEMP TABLE t (i int)")
        #expect(try connection.execute("INSERT INTO t SELECT generate_series(1, 5)").affected == 5)
        #expect(try connection.execute("DELETE FROM t WHERE i > $1", [.int4(3)]).affected == 2)
        let rows = try connection.execute("SELECT i FROM t ORDER BY i")
        #expect(rows.count == 3 && rows.columnCount == 1)
        #expect(try connection.execute("CREATE TEMP TABLE u ()").affected == 0)
        #expect(try connection.execute("").count == 0)
    }

    @Test("that the server refuses gives code, message and names, and the connection goes on")
    func serverError() throws {
        let connection = try TestDatabase.connect()
        try connection.script(
            """
            CREATE TEMP TABLE t (i int CONSTRAINT small CHECK (i < 10), j int NOT NULL);
            CREATE UNIQUE INDEX t_i ON t (i)
            """)
        func refusal(_ sql: String) throws -> PostgresError {
            let error = try #require(throws: PostgresError.self) { try connection.execute(sql) }
            #expect(error.kind == .server)
            #expect(!error.endsConnection)
            #expect(connection.isUsable)
            return error
        }
        let check = try refusal("INSERT INTO t VALUES (10, 1)")
        #expect(check.sqlState == .checkViolation)
        #expect(check.table == "t" && check.constraint == "small")
        #expect(check.schema?.hasPrefix("pg_temp") == true)
        #expect(check.description.hasPrefix("PostgreSQL execute: new row for relation \"t\" violates"))
        #expect(check.description.hasSuffix("(SQLSTATE 23514)"))
        #expect(try refusal("INSERT INTO t VALUES (1, NULL)").column == "j")

        try connection.execute("INSERT INTO t VALUES (7, 1)")
        let unique = try refusal("INSERT INTO t VALUES (7, 1)")
        #expect(unique.sqlState == .uniqueViolation && unique.constraint == "t_i")
        #expect(unique.detail == "Key (i)=(7) already exists.")
        #expect(!unique.description.contains("(7)"), "a description quotes no data")

        #expect(try refusal("SELECT * FROM no_such_table").sqlState == .undefinedTable)
        #expect(try refusal("CREATE TABLE no_such_schema.t ()").sqlState == .undefinedSchema)
        #expect(try refusal("SELECT missing FROM t").sqlState == .undefinedColumn)
        #expect(try refusal("SELECT pg_reload_conf()").sqlState == .insufficientPrivilege)
        #expect(try refusal("SELECT lenght('x')").hint != nil)
        #expect(try refusal("SELEC 1").sqlState == .syntaxError)
        #expect(try refusal("SELECT 1; SELECT 2").sqlState == .syntaxError)
        #expect(try connection.execute("SELECT 1").int32(0, 0) == 1)
    }

    @Test("that runs too long is cancelled by the server, and the connection goes on")
    func statementTimeout() throws {
        let connection = try TestDatabase.connect(statementTimeout: .milliseconds(100))
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT pg_sleep(20)") }
        #expect(error.kind == .server && error.sqlState == .queryCanceled)
        #expect(try connection.execute("SELECT 1").int32(0, 0) == 1)
    }

    @Test("with a NUL in it is not sent")
    func nul() throws {
        let connection = try TestDatabase.connect()
        for run in Self.ways {
            let error = try #require(throws: PostgresError.self) { try run(connection, "SELECT 1\0; DROP TABLE x") }
            #expect(error.kind == .usage)
        }
        #expect(connection.isUsable)
    }

    @Test("takes 65535 parameters and no more")
    func parameterCount() throws {
        let connection = try TestDatabase.connect()
        let list = (1...65535).map { "$\($0)" }.joined(separator: ",")
        let most = [Parameter](repeating: .int4(1), count: 65535)
        #expect(try connection.execute("SELECT cardinality(ARRAY[\(list)])", most).int32(0, 0) == 65535)
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT 1", most + [.int4(1)]) }
        #expect(error.kind == .usage)
        #expect(try connection.execute("SELECT 1").int32(0, 0) == 1)
    }

    @Test("may be, and may return, more than any buffer holds")
    func large() throws {
        let connection = try TestDatabase.connect()
        let text = String(repeating: "0123456789abcdef", count: 2 << 20)
        let rows = try connection.execute("SELECT $1 FROM generate_series(1, 2)", [.text(text)])
        #expect(rows.count == 2)
        #expect(try rows.text(1, 0) == text)
    }

    @Test("is not disturbed by signals")
    func signals() throws {
        signal(SIGUSR2) { _ in interruptions.add(1, ordering: .relaxed) }
        let runner = Thread {
            // The threads of Swift's tasks block all signals, and a new thread inherits that.
            var signals = sigset_t()
            sigemptyset(&signals)
            sigaddset(&signals, SIGUSR2)
            pthread_sigmask(SIG_UNBLOCK, &signals, nil)
            let outcome = Result { () throws(PostgresError) in
                try TestDatabase.connect().execute("SELECT pg_sleep(1)").count
            }
            interrupted.withLock { $0 = outcome }
        }
        for _ in 0..<50 {
            usleep(10_000)
            runner.send(SIGUSR2)
        }
        runner.join()
        #expect(interruptions.load(ordering: .relaxed) > 0)
        #expect(interrupted.withLock { $0 } == .success(1))
    }

    @Test("gives its memory back with its rows")
    func memory() throws {
        func residentBytes() throws -> Int {
            let file = try #require(fopen("/proc/self/statm", "r"))
            defer { fclose(file) }
            var line = [CChar](repeating: 0, count: 128)
            try #require(fgets(&line, 128, file) != nil)
            // Pages: the whole, then those resident.
            let fields = String(decoding: line.map(UInt8.init), as: UTF8.self).split(separator: " ")
            return try #require(Int(fields[1])) * sysconf(Int32(_SC_PAGESIZE))
        }
        let connection = try TestDatabase.connect()
        let before = try residentBytes()
        for _ in 0..<100 { try connection.execute("SELECT repeat('x', 10000000)") }
        // All of it would be 1 GB; the rest is room for the tests that run beside this one.
        #expect(try residentBytes() - before < 500_000_000)
    }

    @Test("that is a COPY is refused, and the connection is in a known state")
    func misplacedCopy() throws {
        for run in Self.ways {
            let connection = try TestDatabase.connect()
            try connection.script("CREATE TEMP TABLE t (i int)")
            let into = try #require(throws: PostgresError.self) { try run(connection, "COPY t FROM STDIN") }
            #expect(into.kind == .usage)
            #expect(throws: PostgresError.self) { try connection.script("INSERT INTO t VALUES (1); COPY t FROM STDIN") }
            #expect(try connection.execute("SELECT count(*) FROM t").int64(0, 0) == 0)
            let out = try #require(throws: PostgresError.self) { try run(connection, "COPY t TO STDOUT") }
            #expect(out.kind == .usage)
            #expect(!connection.isUsable)
        }
    }
}

@Suite("A script")
struct ScriptTests {
    @Test("runs each statement")
    func several() throws {
        let connection = try TestDatabase.connect()
        try connection.script("CREATE TEMP TABLE t (i int); INSERT INTO t VALUES (1), (2); SELECT i FROM t; ")
        #expect(try connection.execute("SELECT count(*) FROM t").int64(0, 0) == 2)
    }

    @Test("is undone as a whole when one statement fails")
    func atomic() throws {
        let connection = try TestDatabase.connect()
        let error = try #require(throws: PostgresError.self) {
            try connection.script("CREATE TEMP TABLE t (i int); SELECT 1/0; CREATE TEMP TABLE u (i int)")
        }
        #expect(error.operation == .script && error.sqlState?.classCode == "22")
        #expect(try connection.execute("SELECT to_regclass('t') IS NULL").bool(0, 0))
    }
}

private let interruptions = Atomic(0)
private let interrupted = Mutex<Result<Int, PostgresError>?>(nil)

/// A POSIX thread with a body.
private struct Thread {
    private var thread = pthread_t()

    init(_ body: @escaping @Sendable () -> Void) {
        final class Box: Sendable {
            let body: @Sendable () -> Void
            init(_ body: @escaping @Sendable () -> Void) { self.body = body }
        }
        // Released by the thread itself.
        let box = Unmanaged.passRetained(Box(body)).toOpaque()
        pthread_create(
            &thread, nil,
            {
                guard let box = $0 else { return nil }
                Unmanaged<Box>.fromOpaque(box).takeRetainedValue().body()
                return nil
            }, box)
    }

    func send(_ signal: Int32) { pthread_kill(thread, signal) }
    func join() { pthread_join(thread, nil) }
}
