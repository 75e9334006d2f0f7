import Foundation
import WindrowTestSupport

/// The daemon under test, over all its starts.
final class Subject {
    let process: DaemonProcess
    private(set) var starts = 0
    /// Of the process, in bytes, as far as it was looked at.
    private(set) var highestMemory = 0
    /// Of the journal's files, in bytes.
    private(set) var highestJournal = 0
    /// Whether it should be running just now.
    private(set) var isExpected = false
    /// The domain's folder in the journal.
    let folder: String
    private let course: Course
    /// Ends in a row that nobody wanted.
    private var unwantedEnds = 0

    /// Where its HTTP server's port and its topics are told from others'; 0 is the one with the stream.
    let number: Int
    /// The first level of topics of which every message comes to this daemon.
    let root: String
    /// Of the session that shares a subscription with the other daemons'.
    let sharedClientID: String
    /// The first level of topics of which every message comes to one of the daemons.
    static let sharedRoot = "shared"
    /// The last dead letter that was read from the journal.
    var lastDeadLetter: Int64 = 0

    /// - Parameters:
    ///   - count: daemons in all. One alone shares no topics.
    ///   - journal: the folder of all their journals.
    init(
        _ cluster: Cluster, number: Int = 0, of count: Int = 1, program: String?, journal: String?, course: Course
    ) throws {
        self.course = course
        self.number = number
        root = Self.root(number, of: count)
        let journal = count == 1 ? journal : journal.map { "\($0)/\(number)" }
        let stream = """
                      - topic: stream/{node}/{tag}
                        overwrite: replace_window
                        max_gap: 365d
                        max_span: 365d
            """
        sharedClientID = "windrow-chaos-\(number)-shared"
        // A session of its own, as others adopt only that.
        let shared = """
                  - broker: mqtt://127.0.0.1:\(cluster.brokerProxy.port)
                    client_id: \(sharedClientID)
                    keep_alive: 5s
                    subscriptions:
                      - topic: $share/chaos/\(Self.sharedRoot)/{node}/{tag}
            """
        let more = (number == 0 ? [stream] : []) + (count > 1 ? [shared] : [])
        process = try DaemonProcess(
            domains: """
                  demo:
                    postgres: \(cluster.conninfo)
                    lanes: 2
                    flush: {interval: 200ms}
                    keys_file: demo.keys
                    mqtt:
                      - broker: mqtt://127.0.0.1:\(cluster.brokerProxy.port)
                        client_id: windrow-chaos\(count > 1 ? "-\(number)" : "")
                        keep_alive: 5s
                        subscriptions:
                          - topic: \(root)/{node}/{tag}
                \(more.joined(separator: "\n"))
                """, more: "  keep: \(Self.keep)", http: "  commit_timeout: 2s", journal: journal, program: program)
        folder = (journal ?? process.path + "/journal") + "/demo"
    }

    static func root(_ number: Int, of count: Int) -> String { count == 1 ? "nodes" : "nodes\(number)" }

    /// Longer than a standby is held back; the journal is small, and most of it goes earlier.
    static let keep = "2m"
    private var kept = keep

    /// Has the daemon keep batches in the journal for another time after they are committed.
    func setKeep(_ time: String) throws {
        try process.edit("keep: \(kept)", to: "keep: \(time)")
        kept = time
        process.signal(SIGHUP)
    }

    var journalFile: String { folder + "/journal.sqlite" }

    func start(environment: [String: String] = [:], wrapper: String? = nil) throws {
        try process.start(environment: environment, wrapper: wrapper)
        starts += 1
        isExpected = true
    }

    /// Set while the daemon is denied further file descriptors.
    var lacksDescriptors = false

    func kill() throws {
        isExpected = false
        try process.kill()
    }

    /// SIGTERM. It has to end by itself, and well.
    func stop() throws {
        isExpected = false
        process.signal(SIGTERM)
        do {
            let code = try process.waitForExit(timeout: .seconds(60))
            if code != 0 { course.fail("the daemon answered SIGTERM with exit code \(code)") }
        } catch {
            course.fail("the daemon did not end within 60 s of SIGTERM")
            try process.kill()
        }
    }

    /// Waits for a daemon that is to kill itself.
    /// - Returns: how it ended; nil when it did not.
    func waitForDeath(timeout: Duration) -> Int32? {
        isExpected = false
        defer { isExpected = process.processID != nil }
        return try? process.waitForExit(timeout: timeout)
    }

    /// The daemon has shown that it works.
    func isWell() {
        unwantedEnds = 0
    }

    /// The last words of the log, without what it says all the time.
    var logEnd: String {
        let lines = process.logExcerpt.split(separator: "\n").filter { !$0.contains(": replaced a window ") }
        return lines.suffix(15).map { "    " + $0.prefix(400) }.joined(separator: "\n")
    }

    /// Takes note of its size, and starts it again when it has ended by itself, which it never may; but libdispatch ends a process
    /// that it can open no file in /proc for (`_dispatch_workq_count_runnable_workers`), and a service manager then does the same.
    func look() throws {
        highestMemory = max(highestMemory, process.residentMemory)
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        var bytes = 0
        for file in files where file == "journal.sqlite" || file == "journal.sqlite-wal" {
            let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + file)
            bytes += (attributes?[.size] as? Int) ?? 0
        }
        highestJournal = max(highestJournal, bytes)
        guard isExpected, process.processID == nil else { return }
        let code = try process.waitForExit()
        if lacksDescriptors, code == 128 + SIGILL {
            try start()
            return
        }
        unwantedEnds += 1
        guard unwantedEnds < 5 else {
            isExpected = false
            throw FixtureError("the daemon ends again and again, with exit code \(code)")
        }
        course.fail("the daemon ended by itself with exit code \(code); its log:\n\(logEnd)")
        try start()
    }
}
