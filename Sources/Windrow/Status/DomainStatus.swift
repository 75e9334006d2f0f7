import LibPQ
import Logging
import Synchronization

/// A domain as the status page sees it: the pace of its series, its figures of the last minutes, and its way to PostgreSQL.
final class DomainStatus: Sendable {
    /// One for each lane.
    let activities: [SeriesActivity]
    private let domain: String
    private let database: DatabaseAccess
    private let journal: Journal
    private let log: Logger
    private let slots = RequestSlots()
    private let history = Mutex(StatusHistory())
    /// Made for the first question, and given up when there was none for a while.
    private let reader = Mutex<(reader: StatusReader, lastUse: ContinuousClock.Instant)?>(nil)
    private let surveys = Mutex<[SeriesSurvey.Order: (survey: SeriesSurvey, at: ContinuousClock.Instant)]>([:])
    private let letters = Mutex<(summaries: [DeadLetterSummary], at: ContinuousClock.Instant)?>(nil)

    /// Questions to PostgreSQL that are asked or wait.
    private static let mostQuestions = 8
    /// Rows of a table.
    static let mostRows = 200
    /// A look at a million series takes milliseconds: pages and scrapes within this time share it.
    private static let surveyAge = Duration.seconds(2)
    private static let lettersAge = Duration.seconds(5)
    private static let idleTime = Duration.seconds(60)

    init(
        domain settings: Live<Configuration.Domain>, database: DatabaseAccess, journal: Journal, health: DomainHealth,
        log: Logger
    ) {
        let domain = settings.current
        activities = (0..<domain.lanes).map { _ in SeriesActivity(settings, health: health) }
        self.domain = domain.name
        self.database = database
        self.journal = journal
        self.log = log
    }

    var samples: [StatusHistory.Sample] { history.withLock { $0.samples } }
    var lastSample: StatusHistory.Sample? { history.withLock { $0.last } }

    /// Every five seconds.
    func append(_ sample: StatusHistory.Sample) {
        history.withLock { $0.append(sample) }
        let idle = reader.withLock { entry -> StatusReader? in
            guard let (reader, lastUse) = entry else { return nil }
            let isWanted = .now - lastUse > .seconds(1) && database.server.wantsConnection
            guard isWanted || .now - lastUse > Self.idleTime else { return nil }
            entry = nil
            return reader
        }
        if let idle { Task { await idle.close() } }
    }

    func close() async {
        await reader.withLock { $0?.reader }?.close()
    }

    // MARK: Series

    /// A look at the active series that is two seconds old at most.
    func survey(_ order: SeriesSurvey.Order = .silence) -> SeriesSurvey {
        surveys.withLock { surveys in
            if let (survey, at) = surveys[order], .now - at < Self.surveyAge { return survey }
            let survey = SeriesSurvey(of: activities, order, limit: Self.mostRows)
            surveys[order] = (survey, .now)
            return survey
        }
    }

    /// What is remembered of a series; nil when it was not written since the start.
    func row(of id: SeriesID) -> SeriesSurvey.Row? {
        let lane = activities[Int(id.number) % activities.count]
        return lane[id].map {
            SeriesSurvey.Row($0, at: lane.tick, silentAfter: lane.silentAfter)
        }
    }

    // MARK: Questions

    /// Asks PostgreSQL something.
    func ask<R: Sendable>(
        _ question: (StatusReader) async throws(PostgresError) -> R
    ) async throws(Problem) -> R {
        guard let slot = slots.take(of: Self.mostQuestions) else {
            throw .unavailable("\(Self.mostQuestions) questions wait for PostgreSQL already", retryAfter: 1)
        }
        defer { withExtendedLifetime(slot) {} }
        let reader = reader.withLock { entry in
            let reader = entry?.reader ?? StatusReader(domain: domain, database: database, log: log)
            entry = (reader, .now)
            return reader
        }
        do throws(PostgresError) {
            return try await question(reader)
        } catch {
            if error.sqlState == .queryCanceled {
                throw .unavailable(
                    "PostgreSQL took longer than \(StatusReader.statementTimeout.components.seconds) s to answer; ask for less",
                    retryAfter: 5)
            }
            throw .unavailable("PostgreSQL cannot be asked just now: \(error)", retryAfter: 5)
        }
    }

    /// The dead letters by reason, as they were five seconds ago at most.
    func deadLetters() async throws(Problem) -> [DeadLetterSummary] {
        if let (summaries, at) = letters.withLock({ $0 }), .now - at < Self.lettersAge { return summaries }
        do {
            let summaries = try await DeadLetterSummary.all(in: journal, examples: 3)
            letters.withLock { $0 = (summaries, .now) }
            return summaries
        } catch {
            throw .unavailable("the dead letters cannot be read: \(error)", retryAfter: 5)
        }
    }
}
