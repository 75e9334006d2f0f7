import LibPQ

// A lane of an import: as the daemon's, one PostgreSQL connection with its thread, which folds what it is given and writes it in
// transactions that move its position, here the place in the input.

/// Writes the series of one lane.
actor ImportLane {
    struct Settings: Sendable {
        var database: DatabaseAccess
        /// In which the numbers of series were found.
        var timeline: Timeline?
        /// Names the import in `progress`.
        var uuid: NodeUUID
        var number: Int
        var lanes: Int
        /// Points of a transaction.
        var maxPoints: Int
        /// What PostgreSQL refuses is left out, and not the end of the import.
        var skipsBad: Bool
        /// How long PostgreSQL may be away.
        var patience: Duration
    }

    nonisolated private let executor: ThreadExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let settings: Settings
    private let board: Monitor<ImportBoard>
    private let badLines: BadLines
    /// What it has committed before this run, it is given again.
    private let committedAtStart: JournalPosition

    private var session: FlushSession
    private var blocks: [ParsedBlock] = []
    private var pending: [(id: SeriesID, window: PendingWindow)] = []
    /// Places in `pending`, by the series' number in the input; -1 where there is none.
    private var places: [Int32] = []
    private var pendingPoints = 0

    /// Blocks that wait for one flush: they keep their text, and their positions are due.
    private static let maxBlocks = 8
    /// What is pending is written after so long, if nothing follows: a pipe may be slow.
    private static let idleTime = Duration.seconds(1)

    init(
        _ settings: Settings, board: Monitor<ImportBoard>, badLines: BadLines, committedAtStart: JournalPosition
    ) {
        executor = ThreadExecutor(name: "import \(settings.number)")
        self.settings = settings
        self.board = board
        self.badLines = badLines
        self.committedAtStart = committedAtStart
        let uuid = settings.uuid
        session = FlushSession(
            settings.database, purpose: "import lane \(settings.number)", lane: settings.number,
            interruption: Interruption(), journal: { uuid })
    }

    /// Folds and writes until no block follows, or the import has failed.
    func run() {
        do {
            loop: while true {
                switch next() {
                case .block(let block):
                    fold(block)
                    if pendingPoints >= settings.maxPoints || blocks.count >= Self.maxBlocks { try flush() }
                case .nothing: try flush()
                case .end: break loop
                }
            }
            try flush()
        } catch {
            board.withLock { if $0.failure == nil { $0.failure = error } }
        }
        session.close()
        board.withLock { $0.running -= 1 }
    }

    private enum Next {
        case block(ParsedBlock)
        /// For a while.
        case nothing
        case end
    }

    private func next() -> Next {
        let number = settings.number
        return board.wait(timeout: blocks.isEmpty ? nil : Self.idleTime) { board -> Next? in
            if !board.waiting[number].isEmpty { return .block(board.waiting[number].removeFirst()) }
            return board.isClosed ? .end : nil
        } ?? .nothing
    }

    private func fold(_ block: ParsedBlock) {
        if block.position <= committedAtStart { return }
        blocks.append(block)
        for edit in block.edits where isOwn(edit) {
            let series = Int(edit.series)
            if series >= places.count { places += repeatElement(-1, count: series + 1 - places.count) }
            if places[series] < 0 {
                places[series] = Int32(pending.count)
                pending.append((edit.id, PendingWindow()))
            }
            pending[Int(places[series])].window.fold(edit.action, block.points[edit.points])
            pendingPoints += edit.points.count
        }
    }

    private func isOwn(_ edit: ParsedBlock.Edit) -> Bool {
        Int(edit.id.number) % settings.lanes == settings.number
    }

    // MARK: Writing

    private func flush() throws {
        guard let position = blocks.last?.position else { return }
        for place in pending.indices { pending[place].window.settle() }
        pending.sort { $0.id < $1.id }
        var backoff = DatabaseAccess.backoff
        var firstFailure: ContinuousClock.Instant?
        while true {
            do {
                let number = settings.number
                let written = try session.write(
                    pending, through: position, after: board.withLock { $0.committed[number] },
                    resolvedIn: settings.timeline
                ) { refused, _ in try keep(refused) }
                session.committed(pending, written.outcome)
                finish(written.outcome, position)
                return
            } catch let error as PostgresError where error.verdict != .stop {
                session.recover(from: error)
                let failedSince = firstFailure ?? .now
                firstFailure = failedSince
                guard .now - failedSince < settings.patience else { throw error }
                board.withLock { $0.obstacle = "\(error)" }
                let isGivenUp = board.wait(timeout: backoff.next()) {
                    $0.failure != nil || $0.isInterrupted ? true : nil
                }
                if isGivenUp == true { throw error }
            }
        }
    }

    private func finish(_ outcome: FlushOutcome, _ position: JournalPosition) {
        for edit in blocks.lazy.flatMap(\.edits) where isOwn(edit) { places[Int(edit.series)] = -1 }
        blocks.removeAll()
        pending.removeAll()
        pendingPoints = 0
        let number = settings.number
        board.withLock { board in
            board.committed[number] = position
            board.totals.add(outcome)
            board.obstacle = nil
        }
    }

    /// Finds the lines of what PostgreSQL refuses, before the rest is committed.
    private func keep(_ refused: [RefusedItem]) throws {
        let lines = refused.compactMap(line)
        try badLines.add(lines)
        guard settings.skipsBad else {
            throw TransferError(.badData, "PostgreSQL refuses points for their content: \(refused[0].error)")
        }
    }

    private func line(of item: RefusedItem) -> BadLines.Line? {
        let rejection = Rejection(.refusedByDatabase, "PostgreSQL refuses it: \(item.error)")
        for block in blocks.reversed() {
            for edit in block.edits.reversed() where edit.id == item.series {
                switch item.content {
                case .point(let point):
                    let place = edit.points.last {
                        block.points[$0].timestamp == point.timestamp && block.points[$0].value == point.value
                    }
                    if let place { return block.line(at: Int(block.rows[place]), rejection) }
                case .range(let range, _):
                    guard case .replace(let own) = edit.action, range.contains(own.first), range.contains(own.last)
                    else {
                        continue
                    }
                    return block.line(at: edit.row, rejection)
                }
            }
        }
        return nil
    }
}
