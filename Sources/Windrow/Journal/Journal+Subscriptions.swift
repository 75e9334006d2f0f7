import GRDB

extension Journal {
    /// The filters that an MQTT session was last known to be subscribed to.
    func subscriptions(of session: String) throws(JournalError) -> Set<String> {
        try read("read the subscriptions") { db in
            try String.fetchSet(db, sql: "SELECT filter FROM subscription WHERE session = ?", arguments: [session])
        }
    }

    /// Remembers what an MQTT session is subscribed to.
    func setSubscriptions(_ filters: Set<String>, of session: String) throws(JournalError) {
        if try subscriptions(of: session) == filters { return }
        try write("remember the subscriptions") { db in
            try db.execute(sql: "DELETE FROM subscription WHERE session = ?", arguments: [session])
            for filter in filters {
                try db.execute(
                    sql: "INSERT INTO subscription (session, filter) VALUES (?, ?)", arguments: [session, filter])
            }
        }
    }
}
