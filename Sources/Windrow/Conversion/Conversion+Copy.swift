import LibPQ

extension Conversion {
    /// Copies what is not copied yet. Each slice is a transaction, in which the course moves on.
    func copy() throws {
        var course = try session.perform { try loadCourse($0) }
        var size = SliceSize()
        var backoff = Self.collisionBackoff
        var collisions = 0
        var lacksPartitions = false
        var madeFor: ConversionCourse.Key??
        let pace = Pace(rate: options.rate)
        while !course.isCopied {
            if isInterrupted() { throw ConversionError.interrupted }
            let began = ContinuousClock.now
            do {
                if lacksPartitions {
                    try session.perform { try makePartitions(behind: course.through, pace.limit(size.rows), $0) }
                    lacksPartitions = false
                }
                let rows = try session.perform { try copySlice(&course, pace.limit(size.rows), $0) }
                size.took(.now - began, rows: rows)
                copied += rows
                (backoff, collisions) = (Self.collisionBackoff, 0)
                report(Report(phase: .copying, share: course.share, rows: copied))
                try session.pause(pace.pause(after: rows, in: .now - began))
            } catch let error as PostgresError where error.isOfLocks {
                size.collided()
                collisions += 1
                // Once or twice it is a flush.
                if collisions > 5, let blocker = try session.perform({ try self.blocker($0) }) {
                    report(Report(phase: .waiting(blocker), share: course.share, rows: copied))
                }
                try session.pause(backoff.next())
            } catch let error as PostgresError where error.isMissingPartition && madeFor != course.through {
                (madeFor, lacksPartitions) = (course.through, true)
            }
        }
    }

    private static var collisionBackoff: Backoff { Backoff(first: .milliseconds(50), cap: .seconds(2)) }

    func loadCourse(_ connection: Connection) throws -> ConversionCourse {
        guard let course = try ConversionCourse.load(schema, connection) else { throw ConversionError.isGone }
        return course
    }

    /// - Parameter course: is what the database has, which may have forgotten the last slices in a crash.
    /// - Returns: the rows that it has passed, whether they had been copied or not.
    private func copySlice(_ course: inout ConversionCourse, _ size: Int, _ connection: Connection) throws -> Int {
        course = try loadCourse(connection)
        let slice = try Slice(behind: course.through, size, schema, connection)
        var next = course
        var rows = size
        try connection.transaction { () throws(PostgresError) in
            try connection.script(
                "SET LOCAL lock_timeout = '200ms'; \(ConversionScript(schema, to: course.engine).lockSlices)")
            let stored = try connection.execute(
                """
                INSERT INTO \(schema.qualified(ConversionScript.next)) (series_id, ts, v)
                SELECT series_id, ts, v FROM \(schema.qualified("point")) WHERE \(slice.condition) ORDER BY series_id, ts
                ON CONFLICT (series_id, ts) DO NOTHING
                """, slice.parameters
            ).affected
            if slice.last == nil {
                rows = stored
                // The swap counts on all before it.
                try connection.script("SET LOCAL synchronous_commit = on")
            }
            next.through = slice.last ?? course.through
            next.copied += rows
            next.isCopied = slice.last == nil
            try connection.execute(
                "UPDATE \(schema.qualified(ConversionScript.course)) SET series_id = $1, ts = $2, copied = $3, is_copied = $4",
                [
                    next.through.map { .int4($0.series) } ?? .null,
                    next.through.map { .timestamptz($0.timestamp) } ?? .null,
                    .int8(Int64(next.copied)), .boolean(next.isCopied),
                ])
            FaultPoint.conversionInSlice.pass()
        }
        course = next
        return rows
    }

    /// Makes the partitions that the next slice needs.
    private func makePartitions(
        behind through: ConversionCourse.Key?, _ size: Int, _ connection: Connection
    ) throws {
        let partitions = PartitionSet(schema, table: ConversionScript.next)
        guard let interval = try partitions.interval(connection) else { return }
        let slice = try Slice(behind: through, size, schema, connection)
        let unfit = try connection.execute(
            """
            SELECT series_id, ts::text FROM \(schema.qualified("point"))
            WHERE \(slice.condition) AND NOT (\(ConversionScript.fitsPartitions)) LIMIT 1
            """, slice.parameters)
        if unfit.count > 0 {
            throw ConversionError.unfit(schema.name, series: try unfit.int32(0, 0), time: try unfit.text(0, 1))
        }
        let rows = try connection.execute(
            """
            SELECT DISTINCT \(interval.start(of: "ts")) FROM \(schema.qualified("point")) WHERE \(slice.condition)
            """, slice.parameters)
        let times = try (0..<rows.count).map { Timestamp(microseconds: try rows.timestamp($0, 0)) }
        _ = try partitions.make(for: times, connection)
    }
}

/// The rows behind a key, so and so many of them, in the order of the primary key.
private struct Slice {
    /// nil when the slice goes to the end.
    let last: ConversionCourse.Key?
    let condition: String
    let parameters: [Parameter]

    init(
        behind through: ConversionCourse.Key?, _ size: Int, _ schema: Schema, _ connection: Connection
    ) throws(PostgresError) {
        var conditions: [String] = []
        var parameters: [Parameter] = []
        func add(_ comparison: String, _ key: ConversionCourse.Key) {
            conditions.append("(series_id, ts) \(comparison) ($\(parameters.count + 1), $\(parameters.count + 2))")
            parameters += [.int4(key.series), .timestamptz(key.timestamp)]
        }
        if let through { add(">", through) }
        let found = try connection.execute(
            """
            SELECT series_id, ts FROM \(schema.qualified("point")) WHERE \(conditions.first ?? "true")
            ORDER BY series_id, ts OFFSET \(size - 1) LIMIT 1
            """, parameters)
        if found.count > 0 {
            let key = ConversionCourse.Key(series: try found.int32(0, 0), timestamp: try found.timestamp(0, 1))
            add("<=", key)
            last = key
        } else {
            last = nil
        }
        condition = conditions.isEmpty ? "true" : conditions.joined(separator: " AND ")
        self.parameters = parameters
    }
}

/// Keeps to a number of rows a second. What was slower, or had to wait, is not caught up with.
struct Pace {
    let rate: Int?

    /// Slices of half a second's rows: work in small pieces disturbs less.
    func limit(_ size: Int) -> Int { rate.map { min(size, max($0 / 2, 1)) } ?? size }

    func pause(after rows: Int, in time: Duration) -> Duration {
        rate.map { max(.seconds(Double(rows) / Double($0)) - time, .zero) } ?? .zero
    }
}

extension CalendarInterval {
    /// As `Timestamp.start(ofEach:)`, in SQL, where the time zone of the session is UTC.
    func start(of timestamp: String) -> String {
        switch unit {
        case .hours:
            "to_timestamp(978307200 + floor((extract(epoch FROM \(timestamp)) - 978307200) / \(count * 3600)) * \(count * 3600))"
        case .months:
            """
            make_timestamptz(2001, 1, 1, 0, 0, 0) + make_interval(months => (floor((extract(year FROM \(timestamp)) * 12 \
            + extract(month FROM \(timestamp)) - 24013) / \(count)) * \(count))::integer)
            """
        }
    }
}
