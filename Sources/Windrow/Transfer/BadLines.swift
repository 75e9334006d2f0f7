import Foundation
import Synchronization

// Lines that are not imported. The first ones are told, all are counted. With `--skip-bad FILE` they go into FILE as they came, under
// the header line, so that the file can be mended and imported; FILE.reasons says for each its number and what is wrong with it.
//
// They are written before what surrounds them is committed. So an import that is killed and goes on may meet a line again that is in
// FILE already: FILE.reasons tells, and it is not written twice.

/// The lines of one input that cannot be imported.
final class BadLines: Sendable {
    struct Line: Sendable {
        var number: Int
        var text: [UInt8]
        var rejection: Rejection
    }

    private struct State {
        var told: [String] = []
        var count = 0
        var reasons: [Rejection.Reason: Int] = [:]
        /// Numbers of those that were counted.
        var counted: Set<Int> = []
        /// Numbers that FILE has from an earlier run.
        var known: Set<Int> = []
        var hasBegun = false
        var isReady = false
    }

    /// How many are told.
    static let toldLimit = 20

    let file: String?
    private let input: String
    private let state = Mutex(State())
    private let header = Mutex<[UInt8]>([])

    /// - Parameter file: where they go.
    init(of input: String, into file: String?) {
        self.input = input
        self.file = file
    }

    var reasonsFile: String? { file.map { $0 + ".reasons" } }

    /// Comes before the first line. Another time, when the input is read again from some place on, it does nothing.
    /// - Parameter isResuming: FILE may be there.
    func begin(header bytes: [UInt8], isResuming: Bool) throws(TransferError) {
        let isFirst = state.withLock { state in
            defer { state.isReady = true }
            return !state.isReady
        }
        guard isFirst else { return }
        header.withLock { $0 = bytes }
        guard let file, let reasonsFile else { return }
        for path in [file, reasonsFile] where FileManager.default.fileExists(atPath: path) {
            guard isResuming else {
                throw TransferError(
                    .usage, "\(path) is there already; move it away, or name another file with --skip-bad")
            }
        }
        guard let text = FileManager.default.contents(atPath: reasonsFile) else { return }
        let numbers = text.split(separator: UInt8(ascii: "\n")).compactMap { line in
            Int(String(decoding: line.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self))
        }
        state.withLock {
            $0.known = Set(numbers)
            $0.hasBegun = FileManager.default.fileExists(atPath: file)
        }
    }

    var count: Int { state.withLock { $0.count } }
    /// The first ones, as `FILE:LINE: reason`.
    var told: [String] { state.withLock { $0.told } }
    /// How many there are of each reason, the most frequent first.
    var reasons: [(reason: Rejection.Reason, count: Int)] {
        state.withLock { $0.reasons.map { ($0.key, $0.value) } }.sorted {
            ($1.count, $0.reason.rawValue) < ($0.count, $1.reason.rawValue)
        }
    }

    /// Counts lines, and writes them if they are to be skipped.
    func add(_ lines: [Line]) throws(TransferError) {
        if lines.isEmpty { return }
        try state.withLock { (state) throws(TransferError) in
            var (texts, why) = ([UInt8](), "")
            // A flush that is tried again tells its lines again.
            for line in lines where state.counted.insert(line.number).inserted {
                let sentence = "\(line.number): \(line.rejection.sentence)"
                if state.told.count < Self.toldLimit { state.told.append("\(input):\(sentence)") }
                state.count += 1
                state.reasons[line.rejection.reason, default: 0] += 1
                guard file != nil, !state.known.contains(line.number) else { continue }
                texts += line.text
                if texts.last != UInt8(ascii: "\n") { texts.append(UInt8(ascii: "\n")) }
                why += sentence + "\n"
            }
            guard let file, let reasonsFile, !texts.isEmpty else { return }
            if !state.hasBegun {
                try Self.append(header.withLock { $0 }, to: file)
                state.hasBegun = true
            }
            try Self.append(texts, to: file)
            try Self.append(Array(why.utf8), to: reasonsFile)
        }
    }

    /// Synced: the lines around it are committed next.
    private static func append(_ bytes: [UInt8], to path: String) throws(TransferError) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o640)
        var written = 0
        while descriptor >= 0, written < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + written, $0.count - written) }
            if count < 0, errno == EINTR { continue }
            if count < 0 { break }
            written += count
        }
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, written == bytes.count, fsync(descriptor) == 0 else {
            throw TransferError(.file, "cannot write \(path): \(String(cString: strerror(errno)))")
        }
    }
}

extension Rejection {
    /// For people, with the place in the line if it has one.
    var sentence: String {
        guard let pointer, !pointer.isEmpty else { return detail }
        return "\(detail) (at \(pointer))"
    }
}

extension ParsedBlock {
    /// A line of the block, with its number and its text.
    func line(at row: Int, _ rejection: Rejection) -> BadLines.Line {
        let end = format.end(ofRowAt: row, in: text)
        return BadLines.Line(number: text.line(at: row), text: Array(text.bytes(row..<end)), rejection: rejection)
    }

    var badLines: [BadLines.Line] {
        var (number, counted) = (text.firstLine, 0)
        return badRows.map { bad in
            number += TextBlock.lines(in: text.bytes(counted..<bad.row.lowerBound))
            counted = bad.row.lowerBound
            return BadLines.Line(number: number, text: Array(text.bytes(bad.row)), rejection: bad.rejection)
        }
    }
}
