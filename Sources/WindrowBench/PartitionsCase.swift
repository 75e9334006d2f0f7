import LibPQ
import Windrow
import WindrowTestSupport

// What partitions cost: the same points into a plain table and into one with weekly partitions, of which the newest takes them all and
// the others are empty. They are made by SQL here, as many as are wanted, and are what pg_partman makes.

extension Drain {
    /// Makes `point`, which has to be empty, a partitioned table.
    /// - Parameter count: weeks, the last of which takes the workload.
    func partition(into count: Int) throws {
        let connection = try Connection(database, applicationName: "windrow-bench")
        let view = try connection.execute("SELECT pg_get_viewdef('windrow.timeseries')").text(0, 0)
        try connection.script(
            """
            DROP VIEW windrow.timeseries;
            DROP TABLE windrow.point;
            CREATE TABLE windrow.point (series_id integer NOT NULL, ts timestamptz NOT NULL, v double precision NOT NULL,
                PRIMARY KEY (series_id, ts)) PARTITION BY RANGE (ts);
            CREATE VIEW windrow.timeseries AS \(view);
            """)
        // Each in a transaction of its own: a thousand would take more locks than PostgreSQL has.
        for week in 0..<count { try connection.script(Self.partition(week)) }
        // Else the daemon would make the empty table a plain one.
        try daemon.edit("    mqtt:", to: "    storage: {engine: partitions, interval: 1 week}\n    mqtt:")
    }

    /// A partition without rows.
    /// - Parameter week: before the newest, which begins two days before the workload: what is late by less stays in it.
    static func partition(_ week: Int) -> String {
        let (first, end) = bounds(ofWeek: week)
        return """
            CREATE TABLE windrow.point_week\(week) PARTITION OF windrow.point FOR VALUES FROM ('\(first)') TO ('\(end)')
            """
    }

    static func bounds(ofWeek week: Int) -> (first: Timestamp, end: Timestamp) {
        let length: Int64 = 7 * 86_400_000_000
        let first = Workload.start - 2 * 86_400_000_000 - Int64(week) * length
        return (Timestamp(microseconds: first), Timestamp(microseconds: first + length))
    }
}

extension Bench {
    private struct Load {
        var name: String
        var overwrite: Overwrite?
        /// Added to each value, so that an update changes something.
        var value: Int
    }

    func partitions() throws -> [Measurement] {
        let loads = [
            Load(name: "insert", value: 0), Load(name: "update_window", overwrite: .updateWindow, value: 1),
            Load(name: "replace_window", overwrite: .replaceWindow, value: 2),
        ]
        let counts = [1, 10, 100, 500]
        var rates: [String: [Int: [Double]]] = [:]
        func note(_ load: String, _ count: Int, _ round: Int, _ drained: Drained) {
            let name = count == 0 ? "plain table" : "\(count) partitions"
            say(
                "\(name), \(load)", round,
                "\(significant(drained.rate)) points/s, flush \(milliseconds(drained.flush)) ms, first committed after "
                    + "\(milliseconds(drained.begin)) ms, \(number(drained.cpuPerMillion, digits: 2)) CPU s per million"
            )
            rates[load, default: [:]][count, default: []].append(drained.rate)
        }
        for round in 1...rounds {
            // Neither goes first always.
            let order = round % 2 == 0 ? [0] + counts : counts.reversed() + [0]
            for count in order {
                let drain = try Drain(
                    sandbox, Workload(messages: scaled(20_000), pointsPerMessage: 100, series: 1000))
                if count > 0 { try drain.partition(into: count) }
                for load in loads {
                    try drain.publish(overwrite: load.overwrite, adding: load.value)
                    note(load.name, count, round, try drain.run(adding: load.value))
                }
                try drain.drop()
                let late = try Drain(
                    sandbox,
                    Workload(messages: scaled(10_000), pointsPerMessage: 100, series: 1000, latePercent: 50))
                if count > 0 { try late.partition(into: count) }
                try late.publish()
                note("50 % late", count, round, try late.run())
                try late.drop()
            }
        }
        return (loads.map(\.name) + ["50 % late"]).flatMap { load in
            counts.map { count in
                Measurement(
                    "\(count) partition\(count == 1 ? "" : "s"), \(load)", "points/s", limit: "plain table",
                    zip(rates[load]?[count] ?? [], rates[load]?[0] ?? []).map { ($0, $1) }, goal: "≥ 0.9")
            }
        }
    }
}
