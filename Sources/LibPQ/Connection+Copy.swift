internal import CLibPQ

extension Connection {
    /// What libpq is given, and the kernel has to take, at once.
    private static let chunkSize = 128 << 10

    /// Runs `COPY … FROM STDIN (FORMAT binary)` with the rows in the buffer, which stays as it is.
    ///
    /// The deadline starts anew with each chunk that the kernel takes; the server's `statement_timeout` holds for the
    /// whole. When the server gives up early, libpq tells only after the end of the data: the server discards the rest
    /// of it as it comes.
    /// - Returns: the number of rows that the server says it stored; fewer than sent if a trigger dropped some.
    /// - Throws: `server` (such as `uniqueViolation`; nothing is stored then), `connectionLost`, `timedOut`; `usage`
    ///   for a statement that is no COPY from STDIN in binary format.
    @discardableResult
    public func copy(_ sql: String, from buffer: borrowing CopyBuffer) throws(PostgresError) -> Int {
        let handle = try open(.copy)
        try begin(sql, on: handle)
        var next = buffer.bytes.base.assumingMemoryBound(to: CChar.self)
        let end = next + buffer.bytes.count
        while next < end {
            let size = min(end - next, Self.chunkSize)
            // libpq copies the bytes; in nonblocking mode it answers 0 when it has no memory to do so.
            guard PQputCopyData(handle, next, Int32(size)) == 1 else { throw failure(.copy, on: handle) }
            try flush(.copy, on: handle, until: newDeadline)
            guard PQstatus(handle) == CONNECTION_OK else { throw failure(.copy, on: handle) }
            next += size
        }
        // The trailer: -1 in place of a field count.
        let trailer: [CChar] = [-1, -1]
        guard PQputCopyData(handle, trailer, 2) == 1 else { throw failure(.copy, on: handle) }
        let deadline = newDeadline
        try endCopy(nil, .copy, on: handle, until: deadline)
        return try results(.copy, on: handle, until: deadline).affected
    }

    /// Sends the statement and waits until the server asks for data.
    private func begin(_ sql: String, on handle: OpaquePointer) throws(PostgresError) {
        try check(sql, .copy)
        guard PQsendQuery(handle, sql) == 1 else { throw failure(.copy, on: handle) }
        let deadline = newDeadline
        try flush(.copy, on: handle, until: deadline)
        let answer = try nextResult(.copy, on: handle, until: deadline)
        if let answer, PQresultStatus(answer.pointer) == PGRES_COPY_IN, PQbinaryTuples(answer.pointer) == 1 { return }
        _ = try results(.copy, startingWith: answer, on: handle, until: deadline)
        throw misplacedCopy(.copy)
    }
}
