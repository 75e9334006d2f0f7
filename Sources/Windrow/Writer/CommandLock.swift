import LibPQ

extension Connection {
    /// Has one command at a time do something, for as long as the connection lasts. It waits for a moment: the lock of a command that was
    /// killed goes with what its backend still does.
    /// - Returns: false if another one is at it.
    func takeCommandLock(_ name: String) throws(PostgresError) -> Bool {
        do throws(PostgresError) {
            try transaction { () throws(PostgresError) in
                try script("SET LOCAL lock_timeout = '3s'")
                try execute("SELECT pg_advisory_lock(hashtextextended($1, 0))", [.text(name)])
            }
            return true
        } catch {
            guard error.sqlState == .lockNotAvailable else { throw error }
            return false
        }
    }
}
