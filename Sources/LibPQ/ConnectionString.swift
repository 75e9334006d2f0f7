internal import CLibPQ

/// Looks at a connection string before libpq uses it.
///
/// libpq's messages about a malformed string quote it, and a password with an unescaped character in it is what makes
/// many a string malformed. So whatever libpq could come to quote is refused here, in words that quote nothing.
enum ConnectionString {
    /// Checks the string.
    /// - Returns: the hosts that it names.
    static func hosts(_ conninfo: String) throws(PostgresError) -> HostList {
        // libpq would stop reading at a NUL.
        guard !conninfo.utf8.contains(0) else { throw malformed("it holds a NUL character") }
        var message: UnsafeMutablePointer<CChar>?
        // The options are freed here, and so is the message.
        guard let options = PQconninfoParse(conninfo, &message) else {
            defer { PQfreemem(message) }
            // Up to the first quote the text is libpq's own.
            let reason = message.map { String(cString: $0).prefix { $0 != "\"" && !$0.isNewline } } ?? "out of memory"
            throw malformed(String(reason))
        }
        defer { PQconninfoFree(options) }

        var hosts = HostList()
        var option = options
        while let keyword = option.pointee.keyword {
            let value = option.pointee.val.map { String(cString: $0) } ?? ""
            switch String(cString: keyword) {
            case "port":
                let isNumbers = value.utf8.allSatisfy { (48...57).contains($0) || $0 == UInt8(ascii: ",") }
                guard isNumbers else { throw malformed("its port is not a number") }
                hosts.ports = HostList.entries(value)
            case "host":
                // At the front it is an abstract socket; elsewhere it is the rest of a password.
                let isHosts = value.split(separator: ",").allSatisfy { !$0.dropFirst().contains("@") }
                guard isHosts else { throw malformed("its host holds an @") }
                hosts.names = HostList.entries(value)
            case "hostaddr": hosts.addresses = HostList.entries(value)
            default: break
            }
            option += 1
        }
        return hosts
    }

    private static func malformed(_ reason: String) -> PostgresError {
        PostgresError(
            operation: .connect, kind: .usage, message: "the connection string is malformed: \(reason)",
            hint: "It is key=value pairs, values with spaces or quotes in single quotes, or a postgresql:// URI "
                + "with special characters percent-encoded.")
    }
}
