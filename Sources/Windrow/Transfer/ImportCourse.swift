/// How far an import has come, in words for people: what share of the input and which line a position is.
struct Course {
    private var ahead: [(position: JournalPosition, place: ImportSummary.Place)] = []
    private var reached: ImportSummary.Place
    private var last: JournalPosition?

    init(_ start: ImportSummary.Place?) {
        reached = start ?? ImportSummary.Place(share: 0, lines: 0)
    }

    mutating func add(_ block: ParsedBlock) {
        ahead.append((block.position, ImportSummary.Place(share: block.share, lines: block.lines)))
    }

    /// The place of the last block that is committed by then.
    mutating func place(_ committed: JournalPosition) -> ImportSummary.Place {
        let passed = ahead.prefix { $0.position <= committed }
        if let last = passed.last {
            reached = last.place
            ahead.removeFirst(passed.count)
        }
        return reached
    }

    /// Whether all that the parser had has been given and is committed.
    func isAtEnd(_ parser: BlockParser) -> Bool {
        parser.isExhausted && ahead.isEmpty
    }
}

/// The numbers in the database of an input's series.
struct SeriesNumbers {
    /// By the series' number in the input; nil for one that is refused.
    private(set) var ids: [SeriesID?]
    /// Of several numbers in the input that are one series, as a node has a number and a UUID, the lowest.
    private var lowest: [SeriesID: Int32] = [:]
    private var same: [Int32] = []

    init(_ known: [SeriesID?]) {
        ids = []
        add(known)
    }

    /// How many there are in the database.
    var count: Int { lowest.count }

    mutating func add(_ more: [SeriesID?]) {
        for id in more {
            let number = Int32(ids.count)
            ids.append(id)
            guard let id else {
                same.append(number)
                continue
            }
            same.append(lowest[id] ?? number)
            if lowest[id] == nil { lowest[id] = number }
        }
    }

    /// Writes into a block's edits which series they are of in the database, and what those whose window is the file's do.
    func settle(_ block: inout ParsedBlock, _ windows: inout FileWindows) {
        for place in block.edits.indices {
            let number = Int(block.edits[place].series)
            guard let id = ids[number] else { preconditionFailure("lines of refused series are bad") }
            block.edits[place].id = id
            block.edits[place].series = same[number]
            if block.edits[place].isOfFile { block.edits[place].action = windows.action(for: id) }
        }
    }
}
