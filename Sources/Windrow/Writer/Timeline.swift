import LibPQ

/// Which of a database's histories a connection sees. A standby begins a new one when it is promoted, and what the old primary had
/// committed beyond that moment is no part of it: numbers of series that were made there may be given to others.
///
/// Of a server that does not tell (some managed ones do not) it is not known, and all its connections are taken for one timeline's.
struct Timeline: Hashable, Sendable {
    /// Eight hexadecimal digits, as at the beginning of the names of WAL files; nil where the server does not tell.
    let name: String?

    init(of connection: Connection) throws(PostgresError) {
        do throws(PostgresError) {
            name = try connection.execute("SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)").text(0, 0)
        } catch {
            guard error.kind == .server, connection.isUsable else { throw error }
            // In recovery: no place to write to, and not for long.
            guard error.sqlState != .notInPrerequisiteState else { throw error }
            name = nil
        }
    }
}

/// The database has another past than the one in which the series' numbers were found, or it is behind what it had committed:
/// nothing that was found there may be written before it is found anew.
struct OtherPast: Error, CustomStringConvertible {
    var description: String { "the database is not the one that it was, or is behind what it had committed" }
}
