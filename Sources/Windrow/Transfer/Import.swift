import Glibc
import LibPQ

// An import: a file is cut into blocks and read on one thread, while lanes on others fold and write what the blocks say, each with its
// own connection, as the daemon's lanes do.
//
// After a failover the import follows PostgreSQL to the promoted host in the same way: it begins anew there, behind what that has of
// it, with everything looked up again. Only an input that can be read once cannot.
//
// The place in the file up to which a lane has written is committed with its points, in the table `progress`, under a name that is made
// from the file and from what the operator says about it. So whatever interrupts an import, the same command goes on behind the last
// transaction of each lane: no point is written twice and none is left out. The rows go when the import is done.
//
// Each line is an edit of its own, in the order of the file. In the mode `replace_window` the window of a series is that of the whole
// file: a first pass finds it, and the transaction that stores the series' first points deletes it.

/// Reads one file into one domain's database. Needs no daemon and works beside one.
public final class Import {
    /// What is going on, several times a second.
    public enum Phase: Equatable, Sendable {
        /// Before the first pass of two writes anything.
        case checking
        case importing
        /// PostgreSQL is away, for the reason.
        case waiting(String)
        /// PostgreSQL has failed over, and the import begins anew behind what is there.
        case following
    }

    public struct Report: Sendable {
        public var phase: Phase
        /// The part of the input that was dealt with, of 1; nil for a pipe.
        public var share: Double?
        public var points: Int
    }

    /// Whether the input can be read only once, and so never be resumed.
    public var isOnce: Bool { identity == nil }

    private let file: String
    private let format: ImportOptions.Format
    private let options: ImportOptions
    private let domain: Configuration.Domain
    private let rules: RowRules
    let identity: ImportIdentity?
    private let report: (Report) -> Void
    private let resumes: (ImportSummary.Place) -> Void
    private let isInterrupted: () -> Bool

    /// How far it has come; also after an error.
    public private(set) var summary: ImportSummary
    /// Whether the last attempt has committed anything.
    private var hasProgressed = false

    /// Blocks that may wait for a lane.
    private static let maxWaiting = 3
    /// How large the pieces are; tests make them small.
    struct Pieces {
        var block = BlockParser.usualBlockSize
        /// A transaction has at least so many points, if there are as many.
        var leastPoints = 10_000
    }

    var pieces = Pieces()

    private static let patience = Duration.seconds(300)
    /// How many failovers are followed: two hosts that take writes at the same time would be followed for ever.
    private static let mostFailovers = 20
    /// In microseconds.
    private static let pauseToFollow: UInt32 = 500_000
    /// How long a database that is away is waited for.
    public static var patienceText: String { DurationText.format(patience) }

    /// - Parameters:
    ///   - file: `-` is standard input.
    ///   - report: is told what is going on.
    ///   - resumes: is told where an interrupted import goes on.
    ///   - isInterrupted: asked often; ends the import after what is under way.
    public init(
        _ file: String, _ options: ImportOptions, into domain: Configuration.Domain, report: @escaping (Report) -> Void,
        resumes: @escaping (ImportSummary.Place) -> Void, isInterrupted: @escaping () -> Bool
    ) throws(TransferError) {
        self.file = file
        self.options = options
        self.domain = domain
        self.report = report
        self.resumes = resumes
        self.isInterrupted = isInterrupted
        format = try options.format(of: file)
        identity = try ImportIdentity(of: file, format, options, schema: domain.schema)
        rules = RowRules(
            guards: Guards(domain), now: .now, overwrite: options.overwrite, epoch: options.epoch,
            timeZone: options.timeZone)
        summary = ImportSummary(input: file == "-" ? "standard input" : file, isResumable: identity != nil)
        guard identity != nil || options.overwrite != .replaceWindow else {
            throw TransferError(
                .usage,
                "\(summary.input) can be read only once, and replace_window has to know the window of each series before it writes: "
                    + "give a file, or lines of NDJSON that have their own overwrite and window")
        }
    }

    /// - Parameters:
    ///   - skipping: the file that bad lines go to; nil ends the import at the first one.
    ///   - restarts: whether to begin anew what was interrupted.
    /// - Throws: `TransferError`, `PostgresError`, `SchemaError`. The summary says how far it has come.
    public func run(skipping: String?, restarts: Bool) throws {
        let started = ContinuousClock.now
        defer { summary.took = .now - started }
        let uuid = identity?.uuid ?? ImportIdentity.random()
        let database = try ImportDatabase(
            domain, uuid: uuid, patience: Self.patience,
            waits: { [unowned self] in
                report(Report(phase: .waiting("\($0)"), share: nil, points: summary.totals.points))
            }, isInterrupted: isInterrupted)
        defer { database.close() }
        try database.open()
        if restarts { try database.forget() }
        let badLines = BadLines(of: summary.input, into: skipping)
        defer { summary.take(badLines) }
        // Since when nothing gets on for failovers.
        var stuckSince: ContinuousClock.Instant?
        while true {
            do {
                return try run(database, uuid, badLines, skips: skipping != nil)
            } catch is OtherPast {
                summary.failovers += 1
                let since = hasProgressed ? .now : stuckSince ?? .now
                stuckSince = since
                guard identity != nil, .now - since < Self.patience, summary.failovers <= Self.mostFailovers else {
                    throw TransferError.failedOver(isOnce: identity == nil)
                }
                report(Report(phase: .following, share: nil, points: summary.totals.points))
                if isInterrupted() { return }
                // Another host may have only just been promoted, and its old primary not be gone.
                usleep(Self.pauseToFollow)
                database.follow()
            }
        }
    }

    /// Reads the file from where the database stands to its end.
    private func run(_ database: ImportDatabase, _ uuid: NodeUUID, _ badLines: BadLines, skips: Bool) throws {
        hasProgressed = false
        let stored = try database.loadPositions()
        let positions = stored ?? Array(repeating: .start, count: domain.lanes)
        let source = try ByteSource(file)
        let parser = try BlockParser(
            source, format, options, rules, cuts: positions.map { Int($0.number) }, blockSize: pieces.block)
        try badLines.begin(header: parser.header, isResuming: stored != nil)

        var table = SeriesTable()
        var ids: [SeriesID?] = []
        var windows = FileWindows()
        if options.overwrite == .replaceWindow {
            let survey = try survey(&table, badLines: skips ? nil : badLines)
            if isInterrupted() { return }
            ids = try database.resolve(table.names)
            for place in ids.indices where ids[place] == nil { table.refuse(place) }
            // Once more, for the lines of nodes that are unknown.
            if !skips, ids.contains(nil) { _ = try self.survey(&table, badLines: badLines) }
            windows = FileWindows(survey, ids) { positions[Int($0.number) % positions.count] }
            try check(windows, table.names, ids)
        }
        let first = positions.min() ?? .start
        if first > .start { try parser.skip(to: Int(first.number)) }
        // Where all begin, some lane may be ahead.
        var begun: ImportSummary.Place?
        if positions.contains(where: { $0 > .start }) {
            let place = ImportSummary.Place(share: parser.share, lines: parser.line - 1)
            begun = place
            // The counts of what was done before a failover stay.
            if summary.failovers == 0 { summary.resumedAt = place }
            resumes(place)
        }
        if stored == nil { try database.begin(lanes: positions.count) }
        try write(parser, &table, ids, &windows, database, uuid, positions, from: begun, badLines, skips: skips)
        if summary.isComplete || identity == nil { try database.forget() }
    }

    /// Reads and checks everything, and changes nothing.
    public func rehearse() throws {
        let started = ContinuousClock.now
        defer { summary.took = .now - started }
        let badLines = BadLines(of: summary.input, into: nil)
        defer { summary.take(badLines) }
        var table = SeriesTable()
        // A pipe is read here for the only time.
        let survey = try survey(&table, badLines: badLines, endsAtBad: false)
        summary.plan = ImportPlan(survey, table.names)
        for (place, extent) in survey.extents.enumerated() {
            if let window = extent.window { try check(window, of: "\(table.names[place])") }
        }
        do {
            try summary.plan?.lookUp(table.names, in: domain)
        } catch {
            summary.plan?.obstacle = "\(error)"
        }
    }

    // MARK: The first pass

    /// - Parameter badLines: is told the bad lines; nil when the second pass tells them.
    private func survey(
        _ table: inout SeriesTable, badLines: BadLines?, endsAtBad: Bool = true
    ) throws -> FileSurvey {
        let parser = try BlockParser(try ByteSource(file), format, options, rules, blockSize: pieces.block)
        var survey = FileSurvey()
        while !isInterrupted(), let block = try parser.next(&table) {
            survey.add(block)
            try badLines?.add(block.badLines)
            report(Report(phase: .checking, share: identity == nil ? nil : block.share, points: survey.points))
        }
        if endsAtBad, let badLines, badLines.count > 0 {
            throw TransferError(.badData, "nothing was changed: \(ImportSummary.advice(isFirstPass: true, options))")
        }
        return survey
    }

    private func check(_ windows: FileWindows, _ names: [SeriesName], _ ids: [SeriesID?]) throws(TransferError) {
        for (id, range) in windows.ranges {
            try check(range, of: ids.firstIndex(of: id).map { "\(names[$0])" } ?? "\(id.number)")
        }
    }

    private func check(_ window: TimeRange, of series: String) throws(TransferError) {
        do throws(Rejection) {
            try rules.guards.check(window: window, pointer: "")
        } catch {
            throw TransferError(.badData, "\(summary.input): series \(series): \(error.detail); nothing was changed")
        }
    }

    // MARK: Reading and writing

    private func write(
        _ parser: BlockParser, _ table: inout SeriesTable, _ known: [SeriesID?], _ windows: inout FileWindows,
        _ database: ImportDatabase, _ uuid: NodeUUID, _ positions: [JournalPosition], from begun: ImportSummary.Place?,
        _ badLines: BadLines, skips: Bool
    ) throws {
        let board = Monitor(ImportBoard(committed: positions))
        for number in positions.indices {
            let settings = ImportLane.Settings(
                database: database.access, timeline: database.timeline, uuid: uuid, number: number,
                lanes: positions.count,
                maxPoints: max(domain.flush.maxPoints, pieces.leastPoints), skipsBad: skips, patience: Self.patience)
            let lane = ImportLane(settings, board: board, badLines: badLines, committedAtStart: positions[number])
            Task { await lane.run() }
        }
        var course = Course(begun)
        var series = SeriesNumbers(known)
        var stop: TransferError?
        do {
            while stop == nil, !isInterrupted(), var block = try parser.next(&table) {
                block = try resolve(block, parser, &table, &series, database)
                if !block.badRows.isEmpty, !skips {
                    let bad = block.badRows[0]
                    try badLines.add(block.badLines)
                    stop = TransferError(
                        .badData, "the import has stopped at line \(block.text.line(at: bad.row.lowerBound))")
                    block = parser.again(block, until: bad.row.lowerBound, &table)
                    guard block.end > 0 else { break }
                }
                if skips { try badLines.add(block.badLines) }
                series.settle(&block, &windows)
                course.add(block)
                summary.series = series.count
                guard give(block, board, &course) else { break }
            }
        } catch {
            board.withLock { if $0.failure == nil { $0.failure = error } }
        }
        finish(board, &course)
        let (totals, committed) = board.withLock { ($0.totals, $0.committedByAll) }
        summary.totals.add(totals)
        summary.committed = course.place(committed)
        hasProgressed = committed > positions.min() ?? .start
        if let failure = board.withLock({ $0.failure }) { throw failure }
        if let stop {
            // So that all can be mended at once.
            while !isInterrupted(), let block = try parser.next(&table) { try badLines.add(block.badLines) }
            throw stop
        }
        summary.isComplete = !isInterrupted() || course.isAtEnd(parser)
    }

    /// Finds what the block's new series are in the database. Lines of those that are refused become bad.
    private func resolve(
        _ block: ParsedBlock, _ parser: BlockParser, _ table: inout SeriesTable, _ series: inout SeriesNumbers,
        _ database: ImportDatabase
    ) throws -> ParsedBlock {
        let known = series.ids.count
        guard table.names.count > known else { return block }
        let ids = try database.resolve(Array(table.names[known...]))
        series.add(ids)
        for (place, id) in ids.enumerated() where id == nil { table.refuse(known + place) }
        return ids.contains(nil) ? parser.again(block, &table) : block
    }

    /// Gives a block to all lanes, as soon as they have room. False when the import has failed.
    private func give(_ block: ParsedBlock, _ board: Monitor<ImportBoard>, _ course: inout Course) -> Bool {
        while true {
            let given = board.wait(timeout: .milliseconds(200)) { board -> Bool? in
                if board.failure != nil { return false }
                guard board.waiting.allSatisfy({ $0.count < Self.maxWaiting }) else { return nil }
                for lane in board.waiting.indices { board.waiting[lane].append(block) }
                return true
            }
            tell(board, &course)
            if let given { return given }
            // The lanes go on with what they have; one that waits for PostgreSQL gives up.
            if isInterrupted() { return false }
        }
    }

    private func finish(_ board: Monitor<ImportBoard>, _ course: inout Course) {
        board.withLock { $0.isClosed = true }
        while board.wait(timeout: .milliseconds(200), until: { $0.running == 0 ? true : nil }) == nil {
            if isInterrupted() { board.withLock { $0.isInterrupted = true } }
            tell(board, &course)
        }
        tell(board, &course)
    }

    private func tell(_ board: Monitor<ImportBoard>, _ course: inout Course) {
        let (committed, written, obstacle) = board.withLock { ($0.committedByAll, $0.totals.points, $0.obstacle) }
        let place = course.place(committed)
        report(
            Report(
                phase: obstacle.map { .waiting($0) } ?? .importing, share: identity == nil ? nil : place.share,
                points: summary.totals.points + written))
    }
}
