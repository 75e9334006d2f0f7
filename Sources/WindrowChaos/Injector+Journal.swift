import Foundation
import LibPQ
import WindrowTestSupport

// Damage to the journal's file.

extension Injector {
    func damage(_ generator: inout Generator) throws -> String {
        try stage.quiesce()
        defer { stage.resume() }
        try stage.subject.stop()
        // What it has to tell is about to be set aside.
        try stage.keepDeadLetters()
        let before = try fingerprint()
        let damage = try Damage(of: stage.subject.journalFile, &generator)
        try damage.inflict(on: stage.subject.journalFile)
        do {
            try stage.subject.start()
            try stage.waitUntil("the daemon is ready on a damaged journal", timeout: Stage.patience) {
                try stage.subject.process.get("/readyz").status == 200
            }
            // What it takes for batches that were not written yet would be written now.
            try stage.drainJournals()
        } catch let error as FixtureError {
            stage.course.fail("\(damage): \(error); its log:\n\(stage.subject.logEnd)")
            // As its operator would have to.
            try stage.subject.kill()
            for end in ["", "-wal", "-shm"] {
                try? FileManager.default.removeItem(atPath: stage.subject.journalFile + end)
            }
            try stage.subject.start()
        }
        try stage.skipDeadLetters()
        if try fingerprint() != before { stage.course.fail("a damaged journal changed what PostgreSQL has: \(damage)") }
        return "\(damage), \(try setAside() ? "set aside" : "not noticed")"
    }

    /// The last fault of a run: the clients stay paused, so that nothing is built on what may be lost.
    func damagePending(_ generator: inout Generator) throws -> String {
        try stage.quiesce()
        try stage.keepDeadLetters()
        stage.cluster.setPostgres(.cut)
        defer { stage.cluster.setPostgres(.pass) }
        stage.resume()
        try stage.wait(generator.seconds(stage.timing.outage) + .seconds(2))
        try stage.pause()
        try stage.subject.kill()
        let journal = stage.subject.journalFile
        // After a crash the newest batches are in the log, until it is 4 MiB long.
        let isInLog = generator.chance(0.3)
        if !isInLog { try JournalReader(journal).checkpoint() }
        let batches = try JournalReader(journal).batchCount()
        let damaged = journal + (isInLog ? "-wal" : "")
        let damage = try Damage(of: damaged, &generator)
        try damage.inflict(on: damaged)
        stage.cluster.setPostgres(.pass)
        try stage.subject.start()
        try stage.waitUntil("the daemon is ready on a journal with \(damage)", timeout: Stage.patience) {
            try stage.subject.process.get("/readyz").status == 200
        }
        stage.rereadDeadLetters()
        let place = isInLog ? " of the write-ahead log" : ""
        return "\(damage)\(place), \(batches) batches waiting, \(try setAside() ? "set aside" : "not noticed")"
    }

    /// Whether the daemon has set a journal aside since this was last asked.
    private func setAside() throws -> Bool {
        let damaged = try FileManager.default.contentsOfDirectory(atPath: stage.subject.folder)
            .filter { $0.contains(".damaged-") }
        // The disk is small.
        for name in damaged { try FileManager.default.removeItem(atPath: stage.subject.folder + "/" + name) }
        return !damaged.isEmpty
    }

    /// Of all that PostgreSQL has.
    private func fingerprint() throws -> [Int64] {
        let rows = try stage.cluster.connection().execute(
            "SELECT count(*), coalesce(sum(hashtextextended(p::text, 0) >> 20), 0)::bigint FROM windrow.point p")
        return [try rows.int64(0, 0), try rows.int64(0, 1)]
    }
}
