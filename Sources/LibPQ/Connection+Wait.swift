internal import CLibPQ
import Glibc

/// How a call waits: every path ends with all results read, or with the connection closed and an error thrown.
extension Connection {
    typealias Operation = PostgresError.Operation

    /// The deadline for a call that begins, or makes progress, now.
    var newDeadline: Deadline { Deadline(after: patience ?? statementTimeout + grace) }

    /// The handle, for a call that begins.
    func open(_ operation: Operation) throws(PostgresError) -> OpaquePointer {
        guard let handle else {
            throw PostgresError(operation: operation, kind: .connectionLost, message: "the connection is closed")
        }
        return handle
    }

    /// libpq takes C strings: a statement with a NUL in it would run cut off.
    func check(_ sql: String, _ operation: Operation) throws(PostgresError) {
        guard !sql.utf8.contains(0) else {
            throw PostgresError(operation: operation, kind: .usage, message: "the SQL holds a NUL character")
        }
    }

    /// Waits until libpq has handed everything to the kernel. Reads meanwhile: a server that cannot write stops reading.
    func flush(_ operation: Operation, on handle: OpaquePointer, until deadline: Deadline) throws(PostgresError) {
        while true {
            let left = PQflush(handle)
            guard left >= 0 else { throw failure(operation, on: handle) }
            guard left > 0 else { return }
            if try wait(for: [.input, .output], operation, on: handle, until: deadline).contains(.input) {
                try read(operation, on: handle)
            }
        }
    }

    /// Reads all results of what was sent.
    ///
    /// - Parameter first: a result that was read already.
    /// - Returns: the last one.
    /// - Throws: the first error among them; `connectionLost`, with the server's last words, if it closed the connection.
    func results(
        _ operation: Operation, startingWith first: QueryResult? = nil, on handle: OpaquePointer,
        until deadline: Deadline
    ) throws(PostgresError) -> QueryResult {
        var last: QueryResult?
        var error: PostgresError?
        var next = first
        if next == nil { next = try nextResult(operation, on: handle, until: deadline) }
        while let result = next {
            switch PQresultStatus(result.pointer) {
            case PGRES_COMMAND_OK, PGRES_TUPLES_OK, PGRES_EMPTY_QUERY:
                last = result
            case PGRES_COPY_IN:
                error = error ?? misplacedCopy(operation)
                try endCopy("Windrow sends no data here", operation, on: handle, until: deadline)
            case PGRES_COPY_OUT, PGRES_COPY_BOTH:
                // Any amount of data may follow, and nobody is there to take it.
                close()
                throw misplacedCopy(operation)
            default:
                if result.endsSession {
                    // The backend may take its time to leave.
                    defer { close() }
                    throw PostgresError(operation: operation, kind: .connectionLost, result: result.pointer)
                }
                error = error ?? PostgresError(operation: operation, kind: .server, result: result.pointer)
            }
            next = try nextResult(operation, on: handle, until: deadline)
        }
        guard PQstatus(handle) == CONNECTION_OK else {
            guard var error else { throw failure(operation, on: handle) }
            close()
            error.kind = .connectionLost
            throw error
        }
        if let error { throw error }
        guard let last else { throw failure(operation, on: handle) }
        return last
    }

    /// - Returns: nil after the last result.
    func nextResult(
        _ operation: Operation, on handle: OpaquePointer, until deadline: Deadline
    ) throws(PostgresError) -> QueryResult? {
        // PQgetResult blocks in this case only. On a broken connection PQisBusy says no, and PQgetResult gives what
        // the server said last, then an error of libpq's own.
        while PQisBusy(handle) == 1 {
            _ = try wait(for: .input, operation, on: handle, until: deadline)
            try read(operation, on: handle)
        }
        return PQgetResult(handle).map(QueryResult.init)
    }

    /// Ends a COPY: well, or with a message that makes the server give it up.
    func endCopy(
        _ problem: String?, _ operation: Operation, on handle: OpaquePointer, until deadline: Deadline
    ) throws(PostgresError) {
        guard PQputCopyEnd(handle, problem) == 1 else { throw failure(operation, on: handle) }
        try flush(operation, on: handle, until: deadline)
    }

    /// The error for a call into libpq that failed without a result. Closes the connection unless it is idle still, as
    /// it is after a statement that libpq refused to send.
    func failure(_ operation: Operation, on handle: OpaquePointer) -> PostgresError {
        let message = oneLine(String(cString: PQerrorMessage(handle)))
        let status = PQtransactionStatus(handle)
        if status == PQTRANS_IDLE || status == PQTRANS_INTRANS || status == PQTRANS_INERROR {
            return PostgresError(operation: operation, kind: .usage, message: message)
        }
        defer { close() }
        return lastWords(operation, on: handle)
            ?? PostgresError(operation: operation, kind: .connectionLost, message: message)
    }

    /// What the server said before a connection broke, if libpq has read it and not yet told.
    private func lastWords(_ operation: Operation, on handle: OpaquePointer) -> PostgresError? {
        // PQgetResult would block on a connection that lives.
        guard PQstatus(handle) != CONNECTION_OK else { return nil }
        // Within a COPY libpq looks at no message but notices. This ends it for libpq; nothing can be sent any more.
        _ = PQputCopyEnd(handle, nil)
        while let result = PQgetResult(handle).map(QueryResult.init) {
            let error = PostgresError(operation: operation, kind: .connectionLost, result: result.pointer)
            if error.sqlState != nil { return error }
        }
        return nil
    }
}

// MARK: - poll

private struct Readiness: OptionSet {
    let rawValue: Int16
    static let input = Readiness(rawValue: Int16(POLLIN))
    static let output = Readiness(rawValue: Int16(POLLOUT))
    /// A reader finds out what these mean.
    static let broken = Readiness(rawValue: Int16(POLLERR | POLLHUP | POLLNVAL))
}

extension Connection {
    private func wait(
        for wanted: Readiness, _ operation: Operation, on handle: OpaquePointer, until deadline: Deadline
    ) throws(PostgresError) -> Readiness {
        var socket = pollfd(fd: PQsocket(handle), events: wanted.rawValue, revents: 0)
        guard socket.fd >= 0 else { return .input }
        while true {
            let left = deadline.milliseconds
            let slice = isEncrypted(handle) ? min(left, 50) : left
            let ready = poll(&socket, 1, slice)
            if ready > 0 {
                let found = Readiness(rawValue: socket.revents)
                return found.isDisjoint(with: .broken) ? found : found.union(.input)
            }
            if ready == 0, slice < left { return .input }
            if ready == 0, left == 0 {
                close()
                throw PostgresError(
                    operation: operation, kind: .timedOut,
                    message: "no sign from the server for \(deadline.duration)",
                    hint: "The server or the network hangs; what was under way is undone unless it was a commit.")
            }
            if ready < 0, errno != EINTR, errno != EAGAIN {
                close()
                throw PostgresError(
                    operation: operation, kind: .connectionLost, message: "poll: " + String(cString: strerror(errno)))
            }
        }
    }

    /// Takes in what the server sent. Does not wait, and leaves a connection that broke to `nextResult`.
    private func read(_ operation: Operation, on handle: OpaquePointer) throws(PostgresError) {
        for _ in 0..<(isEncrypted(handle) ? 2 : 1) {
            guard PQconsumeInput(handle) == 1 else {
                guard PQstatus(handle) != CONNECTION_OK else { throw failure(operation, on: handle) }
                return
            }
        }
    }

    /// Whether data can be waiting inside the TLS library, where poll does not see it: libpq may take less of a record
    /// (16 KiB) than was decrypted, but takes 8 KiB at least. A second read is mostly all it needs; for the rest, reads
    /// are tried between slices of the waiting. (ruby-pg issue 588 is this bug; servers from 17 on and proxies send
    /// such records.)
    private func isEncrypted(_ handle: OpaquePointer) -> Bool {
        PQsslInUse(handle) == 1 || PQgssEncInUse(handle) == 1
    }

    func misplacedCopy(_ operation: Operation) -> PostgresError {
        PostgresError(
            operation: operation, kind: .usage,
            message: "COPY FROM STDIN (FORMAT binary) goes through copy(_:from:), which takes nothing else")
    }
}
