internal import CLibPQ

/// Owns one `PGresult`. It does not depend on its connection and may outlive it.
final class QueryResult {
    let pointer: OpaquePointer

    /// Takes over a result from libpq.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { PQclear(pointer) }

    /// Whether this is an error after which the server closes the connection.
    var endsSession: Bool {
        // PG_DIAG_SEVERITY_NONLOCALIZED. libpq owns the string.
        guard let severity = PQresultErrorField(pointer, Int32(UInt8(ascii: "V"))) else { return false }
        return ["FATAL", "PANIC"].contains(String(cString: severity))
    }

    /// The command's tag, such as `COMMIT`.
    var tag: String { String(cString: PQcmdStatus(pointer)) }

    /// The rows that the command stored, changed, deleted, copied or returned; 0 where that makes no sense.
    var affected: Int { Int(String(cString: PQcmdTuples(pointer))) ?? 0 }
}
