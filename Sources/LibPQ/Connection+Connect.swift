internal import CLibPQ
import Glibc

extension Connection {
    /// - Returns: a PGconn in nonblocking mode that the caller owns.
    static func connect(
        _ conninfo: String, _ hosts: HostList, firstHost: Int, applicationName: String
    ) throws(PostgresError) -> OpaquePointer {
        // Where another host may have taken over, one that is silent is given up soon.
        let hasOthers = hosts.count > 1
        // libpq lets a later parameter override an earlier one, and `dbname` stands for all that conninfo holds.
        let parameters =
            [
                ("connect_timeout", hasOthers ? "\(patienceOfSeveral.components.seconds)" : "5"),
                ("application_name", applicationName),
                ("keepalives_idle", hasOthers ? "3" : "30"),
                ("keepalives_interval", hasOthers ? "1" : "10"),
                ("keepalives_count", "3"),
                ("tcp_user_timeout", hasOthers ? "6000" : "30000"),
                ("target_session_attrs", "read-write"),
                ("dbname", conninfo),
                // Strings are UTF-8 in this process, whatever conninfo asks for.
                ("client_encoding", "UTF8"),
            ] + hosts.parameters(startingWith: firstHost)
        // libpq copies what it is given; the copies made for the call are freed here.
        var keywords = parameters.map { UnsafePointer(strdup($0.0)) } + [nil]
        var values = parameters.map { UnsafePointer(strdup($0.1)) } + [nil]
        let handle = PQconnectdbParams(&keywords, &values, 1)
        for copy in keywords + values { free(UnsafeMutablePointer(mutating: copy)) }

        guard let handle else {
            throw PostgresError(operation: .connect, kind: .connectionFailed, message: "libpq is out of memory")
        }
        guard PQstatus(handle) == CONNECTION_OK, PQsetnonblocking(handle, 1) == 0 else {
            defer { PQfinish(handle) }
            throw refusal(oneLine(String(cString: PQerrorMessage(handle))))
        }
        // libpq would print the server's notices on stderr.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        return handle
    }

    /// The one place that goes by a message's text: libpq 15 keeps the SQLSTATE of a failed connect to itself. In other languages
    /// than English a server without room is like one that is away.
    private static func refusal(_ message: String) -> PostgresError {
        var error = PostgresError(operation: .connect, kind: .connectionFailed, message: message)
        // PostgreSQL's, for everyone, all but superusers, a role, a database; and PgBouncer's.
        let shortages = [
            "too many clients already", "remaining connection slots are reserved", "too many connections for",
            "no more connections allowed",
        ]
        if shortages.contains(where: message.contains) {
            error.sqlState = .tooManyConnections
            error.hint = "raise max_connections, or the connection limit of the role or database"
        }
        return error
    }
}
