import Glibc

/// What PostgreSQL has of a journal, as the daemon knew it last: a line in the file `committed` beside the journal.
///
/// It is written behind commits and trims and not synced, so it may be behind and is never ahead. A database that is behind the note
/// has lost what it had committed. Without the note only that cannot be told, and batches that are kept are taken for waiting ones.
struct CommittedNote: Equatable, Sendable {
    var journal: NodeUUID
    /// The journal holds no batch up to here.
    var trimmed: JournalPosition
    /// All batches up to here are in PostgreSQL.
    var through: JournalPosition
    /// For each lane, the last batch that it has committed.
    var lanes: [JournalPosition]

    static func path(in folder: String) -> String { folder + "/committed" }

    /// Its length says nothing: what a longer line has left behind follows.
    fileprivate var line: String {
        let text = ([trimmed, through] + lanes).map { "\($0.number)" }.joined(separator: " ")
        let content = "\(journal) \(text)"
        return "\(Self.checksum(content)) \(content)\n"
    }

    /// nil when the line is not whole.
    fileprivate init?(line: Substring) {
        let parts = line.split(separator: " ")
        guard parts.count >= 4, String(parts[0]) == Self.checksum(parts.dropFirst().joined(separator: " ")),
            let journal = NodeUUID(String(parts[1]))
        else { return nil }
        let positions = parts.dropFirst(2).compactMap { Int64($0).map(JournalPosition.init) }
        guard positions.count == parts.count - 2 else { return nil }
        self.init(
            journal: journal, trimmed: positions[0], through: positions[1], lanes: Array(positions.dropFirst(2)))
    }

    init(journal: NodeUUID, trimmed: JournalPosition, through: JournalPosition, lanes: [JournalPosition]) {
        self.journal = journal
        self.trimmed = trimmed
        self.through = through
        self.lanes = lanes
    }

    private static func checksum(_ text: String) -> String {
        String(Array(text.utf8).withUnsafeBytes { CRC32C.checksum($0) }, radix: 16)
    }

    /// The note in a journal's folder; nil when there is none.
    static func read(in folder: String) -> CommittedNote? {
        let descriptor = open(path(in: folder), O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        guard count > 0 else { return nil }
        return CommittedNote(line: Substring(decoding: bytes[..<count].prefix { $0 != 0x0A }, as: UTF8.self))
    }

    func write(in folder: String) {
        let descriptor = open(Self.path(in: folder), O_WRONLY | O_CREAT | O_CLOEXEC, 0o640)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        let bytes = Array(line.utf8)
        _ = pwrite(descriptor, bytes, bytes.count, 0)
    }

    /// Up to where all batches are in the database, by what that has of each lane: nothing before it need be read again, wherever a lane
    /// stands that had nothing to write. `start` where the database is behind the note.
    func settled(_ stored: [Int: JournalPosition]) -> JournalPosition {
        let isThere = !lanes.isEmpty && lanes.enumerated().allSatisfy { stored[$0.offset] ?? .start >= $0.element }
        return isThere ? through : .start
    }

    /// What the lanes had committed beyond what the database has of them now, as far as it is in the journal no more: those positions
    /// are lost, by lane.
    /// - Parameter stored: by lane, as the database has them.
    static func lost(
        committed: [JournalPosition], stored: [JournalPosition], trimmed: JournalPosition
    ) -> [(lane: Int, positions: ClosedRange<Int64>)] {
        zip(committed, stored).enumerated().compactMap { lane, pair in
            let (committed, stored) = pair
            let last = min(committed, trimmed)
            return stored < last ? (lane, stored.number + 1...last.number) : nil
        }
    }
}
