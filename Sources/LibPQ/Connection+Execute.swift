internal import CLibPQ

extension Connection {
    /// Runs one statement by the extended protocol, parameters and results in binary format.
    ///
    /// - Parameter parameters: for `$1`, `$2` …, at most 65535.
    /// - Returns: the rows, all of them in memory.
    /// - Throws: `server`, `connectionLost` or `timedOut`; `usage` for SQL with a NUL in it, too many parameters, or a
    ///   COPY.
    @discardableResult
    public func execute(_ sql: String, _ parameters: [Parameter] = []) throws(PostgresError) -> Rows {
        let handle = try open(.execute)
        try check(sql, .execute)
        let encoding = try ParameterEncoding(parameters)
        guard encoding.send(sql, on: handle) else { throw failure(.execute, on: handle) }
        let deadline = newDeadline
        try flush(.execute, on: handle, until: deadline)
        return Rows(try results(.execute, on: handle, until: deadline))
    }

    /// Runs statements, separated by semicolons, by the simple protocol. Rows that they return are dropped.
    ///
    /// Outside a transaction, and unless they say otherwise, they are one transaction of their own.
    /// - Throws: as `execute`. After an error the rest is not run.
    public func script(_ sql: String) throws(PostgresError) {
        _ = try run(sql, .script)
    }

    /// Asks the server for a sign of life.
    /// - Throws: `timedOut` when none comes in time; the connection is then closed.
    public func ping(within time: Duration) throws(PostgresError) {
        let handle = try open(.execute)
        guard PQsendQuery(handle, "") == 1 else { throw failure(.execute, on: handle) }
        let deadline = Deadline(after: time)
        try flush(.execute, on: handle, until: deadline)
        _ = try results(.execute, on: handle, until: deadline)
    }

    /// - Returns: the last statement's result.
    func run(_ sql: String, _ operation: Operation) throws(PostgresError) -> QueryResult {
        let handle = try open(operation)
        try check(sql, operation)
        guard PQsendQuery(handle, sql) == 1 else { throw failure(operation, on: handle) }
        let deadline = newDeadline
        try flush(operation, on: handle, until: deadline)
        return try results(operation, on: handle, until: deadline)
    }
}
