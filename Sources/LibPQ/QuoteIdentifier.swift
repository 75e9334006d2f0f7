/// Quotes a name as an SQL identifier: `point` becomes `"point"`, and each double quote in it is doubled.
///
/// Source: PostgreSQL documentation, 4.1.1 "Identifiers and Key Words". PostgreSQL cuts names off after 63 bytes.
/// - Throws: kind `usage` for an empty name and for one that holds a NUL, which no identifier can.
public func quoteIdentifier(_ name: String) throws(PostgresError) -> String {
    // By scalar, not by Character: a quote with a combining mark after it is another Character, but still a quote.
    let scalars = name.unicodeScalars
    guard !scalars.isEmpty, !scalars.contains("\0") else {
        throw PostgresError(
            operation: .quote, kind: .usage,
            message: "an SQL identifier is neither empty nor holds a NUL character")
    }
    var quoted = String.UnicodeScalarView("\"".unicodeScalars)
    for scalar in scalars {
        quoted.append(scalar)
        if scalar == "\"" { quoted.append(scalar) }
    }
    quoted.append("\"")
    return String(quoted)
}
