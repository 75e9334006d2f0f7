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
                ("connect_timeout", hasOthers ? "2" : "5"),
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
            throw PostgresError(
                operation: .connect, kind: .connectionFailed, message: oneLine(String(cString: PQerrorMessage(handle))))
        }
        // libpq would print the server's notices on stderr.
        PQsetNoticeProcessor(handle, { _, _ in }, nil)
        return handle
    }
}
