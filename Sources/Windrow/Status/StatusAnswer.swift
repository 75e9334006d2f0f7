// What the page asks for, as JSON. Times are RFC 3339, spans are seconds, numbers of nodes are texts: JavaScript's numbers are too short.

/// `GET /api/status`
struct StatusAnswer: Encodable {
    struct Part: Encodable {
        struct Failure: Encodable {
            var component: String
            var message: String
        }

        var part: String
        var failures: [Failure]
    }

    struct Domain: Encodable {
        var name: String
        var parts: [Part]
        /// Points a second, of the last five seconds; missing before the first sample, and so the next one.
        var received: Float?
        var settled: Float?
        var pending: Int
        /// Of what waits, and of dead letters.
        var journalBytes: Int
        /// Of what PostgreSQL has, and is kept for a failover.
        var journalKeptBytes: Int
        var journalLimit: Int
        /// Seconds; missing while the journal does not grow.
        var journalFullIn: Double?
        var flushMedian: Float?
        var flushSlowest: Float?
        /// Series written since the start, and those of them that are silent.
        var activeSeries: Int
        var silentSeries: Int
    }

    /// Of one domain, the oldest sample first.
    struct History: Encodable {
        var domain: String
        /// Seconds between two samples.
        var step: Double
        var received: [Float]
        var settled: [Float]
        var pending: [Float]
        var journalBytes: [Float]
        var flushMedian: [Float?]
        var flushSlowest: [Float?]

        init(_ domain: DomainPipeline) {
            let samples = domain.status.samples
            self.domain = domain.name
            step = StatusHistory.step / .seconds(1)
            received = samples.map(\.received)
            settled = samples.map(\.settled)
            pending = samples.map(\.pending)
            journalBytes = samples.map(\.journalBytes)
            flushMedian = samples.map(\.flushMedian)
            flushSlowest = samples.map(\.flushSlowest)
        }
    }

    var version = Version.current
    var now = "\(Timestamp.now)"
    var startedAt: String
    var stuck: [String]
    var domains: [Domain]
    var history: History?

    init(_ status: DaemonStatus, startedAt: Timestamp, historyOf domain: String?) {
        self.startedAt = "\(startedAt)"
        stuck = status.liveness.stuck
        domains = status.domains.map(Domain.init)
        history = status.domains.first { $0.name == domain }.map(History.init)
    }
}

extension StatusAnswer.Domain {
    init(_ domain: DomainPipeline) {
        name = domain.name
        let failures = domain.health.failures
        parts = DomainHealth.Part.allCases.map { part in
            StatusAnswer.Part(
                part: part.rawValue,
                failures: failures.filter { $0.part == part }
                    .map { StatusAnswer.Part.Failure(component: $0.component, message: $0.message) })
        }
        let sample = domain.status.lastSample
        received = sample?.received
        settled = sample?.settled
        pending = domain.metrics.snapshot.pending
        journalBytes = domain.journal.waitingBytes
        journalKeptBytes = domain.journal.keptBytes
        journalLimit = domain.journal.maxBytes
        journalFullIn = domain.timeUntilFull.map { $0 / .seconds(1) }
        flushMedian = sample?.flushMedian
        flushSlowest = sample?.flushSlowest
        let survey = domain.status.survey()
        activeSeries = survey.active
        silentSeries = survey.silent
    }
}

/// `GET /api/series`
struct SeriesAnswer: Encodable {
    struct Row: Encodable {
        var series: Int32
        /// Missing while PostgreSQL cannot be asked for the name, and so the next one.
        var node: String?
        var tag: String?
        /// Of the newest point; missing when there is none.
        var time: String?
        var value: Double?
        var isSilent = false
        /// Seconds since the last arrival; missing when there was none since the start.
        var quiet: Float?
        /// Usual seconds between two arrivals; missing while the series is too new to say.
        var usual: Float?
        /// Points a second; missing before the second arrival.
        var rate: Float?

        init(_ id: SeriesID, _ name: SeriesName?, newest: Point?, _ row: SeriesSurvey.Row?) {
            series = id.number
            node = name.map { "\($0.node)" }
            tag = name?.tag.name
            time = (row?.pace.newest ?? newest?.timestamp).map { "\($0)" }
            value = row?.pace.value ?? newest?.value
            if value?.isFinite == false { value = nil }
            guard let row else { return }
            isSilent = row.isSilent
            quiet = row.quiet
            if row.isKnown { usual = row.pace.usual }
            if row.pace.usual > 0 { rate = row.rate }
        }
    }

    var domain: String
    var active: Int
    var silent: Int
    var rows: [Row]
    /// There are more than were asked for.
    var isCut: Bool
    /// Why names are missing.
    var problem: String?
}

/// `GET /api/points`
struct PointsAnswer: Encodable {
    var start: String
    var end: String
    /// A stretch of time each: seconds from the start to its middle, least, mean and greatest value, number of points.
    var buckets: [[Double?]]

    init(_ buckets: [StatusReader.Bucket], in range: TimeRange) {
        start = "\(range.first)"
        end = "\(range.last)"
        self.buckets = buckets.map { bucket in
            let middle = bucket.first.microseconds + (bucket.last.microseconds - bucket.first.microseconds) / 2
            let values = [bucket.least, bucket.mean, bucket.greatest].map { $0.isFinite ? $0 : nil }
            return [Double(middle - range.first.microseconds) / 1e6] + values + [Double(bucket.count)]
        }
    }
}

/// `GET /api/dead-letters`
struct DeadLettersAnswer: Encodable {
    var domain: String
    var reasons: [DeadLetterSummary]
}
