import LibPQ
import Testing

@Suite("A connection")
struct ConnectionTests {
    @Test("tells where it goes and what server is there, and no password")
    func describesItself() throws {
        let connection = try TestDatabase.connect("password=hunter2secret")
        #expect(connection.serverVersion >= 130_000)
        #expect(connection.endpoint == "\(connection.host):\(connection.port)/\(connection.database)")
        #expect(!connection.endpoint.contains("hunter2secret"))
        #expect(try connection.execute("SELECT pg_backend_pid()").int32(0, 0) == connection.backendID)
    }

    @Test("sets its defaults, which the connection string overrides")
    func defaults() throws {
        func settings(_ connection: Connection) throws -> [String] {
            try ["application_name", "statement_timeout", "client_encoding"].map {
                try connection.execute("SELECT current_setting($1)", [.text($0)]).text(0, 0)
            }
        }
        let plain = try TestDatabase.connect(statementTimeout: .milliseconds(4500))
        #expect(try settings(plain) == ["windrow-tests", "4500ms", "UTF8"])
        // The server, too, ends a session whose client is silent.
        for (setting, value) in [
            "tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
            "tcp_user_timeout": "60000",
        ] where plain.host.hasPrefix("127.") {
            #expect(try plain.execute("SELECT current_setting($1)", [.text(setting)]).text(0, 0) == value)
        }
        let other = try TestDatabase.connect("application_name=other client_encoding=LATIN1")
        #expect(try settings(other) == ["other", "1min", "UTF8"])
    }

    @Test("has transactions that see what others have committed meanwhile, whatever the role's default is")
    func isolation() throws {
        let connection = try TestDatabase.connect("options='-c default_transaction_isolation=serializable'")
        try connection.script("BEGIN")
        #expect(try connection.execute("SHOW transaction_isolation").text(0, 0) == "read committed")
    }

    @Test("wants a server that takes writes, unless told otherwise")
    func readOnlySession() throws {
        let readOnly = "options='-c default_transaction_read_only=on'"
        let error = try #require(throws: PostgresError.self) { try TestDatabase.connect(readOnly) }
        #expect(error.kind == .connectionFailed)
        #expect(error.message.contains("read-only"))

        let connection = try TestDatabase.connect(readOnly + " target_session_attrs=any")
        let refusal = try #require(throws: PostgresError.self) { try connection.script("CREATE TABLE t (i int)") }
        #expect(refusal.sqlState == .readOnlyTransaction)
    }

    @Test("goes to the next host when the first is dead")
    func severalHosts() throws {
        let live = try TestDatabase.connect()
        let dead = try LoopbackPort(silentlyListening: false)
        let connection = try TestDatabase.connect("host=127.0.0.1,\(live.host) port=\(dead.number),\(live.port)")
        #expect(connection.port == live.port)
        #expect(try connection.execute("SELECT 1").int32(0, 0) == 1)
    }

    @Test("ends with its last reference")
    func released() throws {
        let observer = try TestDatabase.connect()
        func isAlive(_ id: Int32) throws -> Bool {
            try observer.execute("SELECT count(*) FROM pg_stat_activity WHERE pid = $1", [.int4(id)]).int64(0, 0) > 0
        }
        var connection: Connection? = try TestDatabase.connect()
        let id = try #require(connection?.backendID)
        #expect(try isAlive(id))
        connection = nil
        let limit = ContinuousClock.now + .seconds(20)
        while try isAlive(id), ContinuousClock.now < limit {}
        #expect(try !isAlive(id))
    }

    @Test("closes once and then says so")
    func closed() throws {
        let connection = try TestDatabase.connect()
        #expect(connection.isUsable)
        connection.close()
        connection.close()
        #expect(!connection.isUsable)
        let error = try #require(throws: PostgresError.self) { try connection.execute("SELECT 1") }
        #expect(error.kind == .connectionLost)
    }
}

@Suite("A failed connect")
struct FailedConnectTests {
    @Test("names the refusing port")
    func refused() throws {
        let dead = try LoopbackPort(silentlyListening: false)
        let error = try #require(throws: PostgresError.self) { try TestDatabase.connect("port=\(dead.number)") }
        #expect(error.operation == .connect)
        #expect(error.kind == .connectionFailed)
        #expect(error.endsConnection)
        #expect(error.sqlState == nil)
        #expect(error.message.contains("port \(dead.number) failed: Connection refused"))
        #expect(!error.message.contains("\n"))
    }

    @Test("gives up on a server that accepts and says nothing")
    func silent() throws {
        let silent = try LoopbackPort(silentlyListening: true)
        let start = ContinuousClock.now
        let error = try #require(throws: PostgresError.self) {
            try TestDatabase.connect("port=\(silent.number) connect_timeout=2")
        }
        #expect(error.kind == .connectionFailed)
        #expect(error.message.contains("timeout expired"))
        #expect(ContinuousClock.now - start < .seconds(4))
    }

    @Test("names the unknown database")
    func unknownDatabase() throws {
        let error = try #require(throws: PostgresError.self) { try TestDatabase.connect("dbname=no_such_database") }
        #expect(error.kind == .connectionFailed)
        #expect(error.message.contains("database \"no_such_database\" does not exist"))
    }

    @Test("with a wrong password names the user, not the password")
    func wrongPassword() throws {
        try TestDatabase.createRole("libpq_password_test", password: "right")
        #expect(throws: Never.self) { try TestDatabase.connect("user=libpq_password_test password=right") }
        let error = try #require(throws: PostgresError.self) {
            try TestDatabase.connect("user=libpq_password_test password=hunter2secret")
        }
        #expect(error.kind == .connectionFailed)
        #expect(error.message.contains("password authentication failed for user \"libpq_password_test\""))
        #expect(!"\(error)\(String(reflecting: error))".contains("hunter2secret"))
    }

    @Test(
        "because of a malformed connection string quotes nothing of it",
        arguments: [
            "host=127.0.0.1 password=my hunter2secret",
            "host=127.0.0.1 password='hunter2secret",
            "host=127.0.0.1 password=abc hunter2secret=x",
            "postgresql://user:hunter2secret%zz@127.0.0.1/demo",
            "postgresql://user:p@hunter2secret@127.0.0.1/demo",
            "postgresql://user:hunter2secret/x@127.0.0.1/demo",
            "postgres//user:hunter2secret@127.0.0.1/demo",
            "postgre://user:hunter2secret@127.0.0.1/demo?sslmode=disable",
            "hunter2secret",
            "host=127.0.0.1\0password=hunter2secret",
        ])
    func malformed(conninfo: String) throws {
        let error = try #require(throws: PostgresError.self) { try Connection(conninfo, applicationName: "tests") }
        #expect(error.kind == .usage)
        #expect(error.message.contains("connection string is malformed"))
        #expect(!"\(error)\(String(reflecting: error))".contains("hunter2secret"))
    }
}
