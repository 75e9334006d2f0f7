import Foundation
import WindrowTestSupport

/// All that takes part in a run, for those who act on it.
final class Stage {
    let seed: UInt64
    let course: Course
    let cluster: Cluster
    /// The daemons.
    let subjects: [Subject]
    /// Which of them a fault hits that hits one.
    private var target = 0
    /// Nil where only root could mount one.
    let disk: SmallDisk?
    let timing: Timing
    let twinHead = SharedCount()
    let otherWriter: OtherWriter
    var clients: [any Client] = []
    /// What the tool itself posts.
    private(set) var model = Model()
    private var probes = 0
    private(set) var deadLetters: [JournalReader.DeadLetter] = []
    /// The file that a daemon with a clock of its own reads.
    var clock: TemporaryFolder?

    /// How long the daemon may take to recover.
    static let patience = Duration.seconds(120)

    init(seed: UInt64, kinds: [FaultKind], timing: Timing, daemons: Int, program: String?) throws {
        self.seed = seed
        self.timing = timing
        course = Course()
        cluster = try Cluster(hasStandby: kinds.contains(.failover) || kinds.contains(.failoverLagging))
        let disk = geteuid() == 0 ? try SmallDisk(mebibytes: 64 * daemons) : nil
        self.disk = disk
        subjects = try (0..<daemons).map { [cluster, course] number in
            try Subject(
                cluster, number: number, of: daemons, program: program, journal: disk?.folder.path, course: course)
        }
        otherWriter = OtherWriter(head: twinHead)
    }

    /// The daemon that a fault hits.
    var subject: Subject { subjects[target] }

    /// Has faults hit one of the daemons, by the generator.
    func aim(_ generator: inout Generator) {
        if subjects.count > 1 { target = generator.int(0...subjects.count - 1) }
    }

    /// Lets time pass, and looks after the daemons meanwhile.
    func wait(_ duration: Duration) throws {
        let end = ContinuousClock.now + duration
        repeat {
            try Interruption.check()
            for subject in subjects { try subject.look() }
            usleep(UInt32(max(.zero, min(end - .now, .milliseconds(100))) / .microseconds(1)))
        } while ContinuousClock.now < end
    }

    /// Waits for something, and looks after the daemon meanwhile.
    func waitUntil(_ what: String, timeout: Duration, _ condition: () throws -> Bool) throws {
        let end = ContinuousClock.now + timeout
        while try !condition() {
            guard ContinuousClock.now < end else { throw FixtureError("waited \(timeout) in vain: \(what)") }
            try wait(.milliseconds(20))
        }
    }

    /// Has a request acknowledged as committed.
    func post(_ edits: [Edit]) throws {
        for edit in edits { model.apply(edit, injection: course.injection.load(ordering: .acquiring)) }
        try waitUntil("a request is committed", timeout: Self.patience) { try isCommitted(edits) }
    }

    /// The same for points that another model accounts for.
    func postUnmodelled(_ edit: Edit) throws {
        try waitUntil("a request is committed", timeout: Self.patience) { try isCommitted([edit]) }
    }

    /// Waits until the daemon is ready and a new point is committed.
    /// - Returns: how long it took.
    func recover() throws -> Duration {
        let start = ContinuousClock.now
        for subject in subjects {
            let probe = probe("probe")
            try waitUntil("the daemon is ready and commits", timeout: Self.patience) {
                try subject.process.get("/readyz").status == 200 && isCommitted([probe], by: subject)
            }
            subject.isWell()
        }
        return .now - start
    }

    /// A new point of a series.
    private func probe(_ tag: String) -> Edit {
        probes += 1
        let edit = Edit(
            series: SeriesName(node: .id(901), tag: tag), mode: .insert,
            points: [Point(microseconds: Timestamp.start + Int64(probes) * Timestamp.second, value: Double(probes))])
        model.apply(edit, injection: course.injection.load(ordering: .acquiring))
        return edit
    }

    private func isCommitted(_ edits: [Edit], by subject: Subject? = nil) throws -> Bool {
        let subject = subject ?? self.subject
        // A daemon that does not listen is one to be asked again.
        guard let connection = try? HTTPConnection(port: subject.process.httpPort, timeout: .seconds(15)),
            let response = try? connection.post(
                "/demo/api/v1/timeseries?silent=true", Payload.request(edits))
        else { return false }
        guard response.status < 400 || response.status >= 429 else {
            throw FixtureError("a request was answered \(response.status): \(response.text)")
        }
        return response.status == 204
    }

    /// Holds the clients back until nothing is under way and nothing waits in the journal.
    func quiesce() throws {
        try pause()
        try drain()
    }

    /// Holds the clients back until all that they sent is acknowledged.
    func pause() throws {
        course.isPaused.store(true, ordering: .releasing)
        try waitUntil("the clients pause", timeout: Self.patience) {
            clients.allSatisfy { $0.counters.outstanding.load(ordering: .acquiring) == 0 }
        }
    }

    /// Reads the dead letters that are new, before something happens to them.
    func keepDeadLetters() throws {
        for subject in subjects {
            let letters = try JournalReader(subject.journalFile).deadLetters(after: subject.lastDeadLetter)
            deadLetters += letters
            subject.lastDeadLetter = letters.last?.id ?? subject.lastDeadLetter
        }
    }

    /// Reads all of them once more: a journal that was made out of a damaged one numbers them anew.
    func rereadDeadLetters() {
        subject.lastDeadLetter = 0
    }

    /// Passes over what a journal holds that was made out of a damaged one: copies of letters that are known, perhaps damaged too.
    func skipDeadLetters() throws {
        subject.lastDeadLetter = try JournalReader(subject.journalFile).deadLetters(after: 0).last?.id ?? 0
    }

    func resume() {
        course.isPaused.store(false, ordering: .releasing)
    }

    /// Waits until all that the broker has for the daemon is in PostgreSQL. Nobody may be sending.
    func drain() throws {
        // The broker hands the messages of a session over in order: when the last one is accepted, all are. Those of the group it deals
        // to the daemons in turn.
        let roots = subjects.map(\.root) + (subjects.count > 1 ? subjects.map { _ in Subject.sharedRoot } : [])
        let last = roots.map { root in (root: root, edit: probe("last")) }
        let publisher = try BacklogPublisher(port: cluster.home.mqttPort)
        try publisher.publish(last.count) { place in
            let (root, edit) = last[place]
            return ("\(root)/\(edit.series)", Payload.mqtt(edit, statesMode: false))
        }
        try waitUntil("the broker's last messages are stored", timeout: Self.patience) {
            let rows = try cluster.connection().execute(
                "SELECT count(*) FROM windrow.timeseries WHERE tag = 'last' AND ts = ANY ($1)",
                [.timestamptzArray(last.map { $0.edit.points[0].microseconds })])
            return try rows.int64(0, 0) == Int64(last.count)
        }
        try drainJournals()
    }

    /// Waits until all that the journals hold is in PostgreSQL.
    func drainJournals() throws {
        // What is kept goes, too.
        for subject in subjects { try subject.setKeep("0s") }
        defer { for subject in subjects { try? subject.setKeep(Subject.keep) } }
        for subject in subjects {
            try waitUntil("the journal is drained", timeout: Self.patience) {
                try subject.process.metric("windrow_points_pending") == 0
                    && JournalReader(subject.journalFile).batchCount() == 0
            }
        }
    }
}
