internal import CLibPQ

extension PostgresError {
    /// Reads an error result. The result stays the caller's to clear.
    init(operation: Operation, kind: Kind, result: OpaquePointer) {
        // libpq owns the strings that PQresultErrorField returns; they live as long as the result.
        func field(_ code: Unicode.Scalar) -> String? {
            PQresultErrorField(result, Int32(code.value)).map { String(cString: $0) }
        }
        // The codes are the character macros PG_DIAG_… of postgres_ext.h, which Swift does not import.
        self.init(
            operation: operation, kind: kind,
            sqlState: field("C").flatMap(SQLState.init(rawValue:)),
            message: oneLine(field("M") ?? String(cString: PQresultErrorMessage(result))),
            detail: field("D"), hint: field("H"))
        schema = field("s")
        table = field("t")
        column = field("c")
        constraint = field("n")
    }
}

/// libpq ends its messages with a newline, indents what follows the first line, and writes a line for each host that
/// it tried.
func oneLine(_ message: String) -> String {
    message.split(whereSeparator: \.isNewline).map { $0.drop(while: \.isWhitespace) }.joined(separator: "; ")
}
