import Foundation
import WindrowTestSupport

/// What happens to a file on a bad disk.
enum Damage: CustomStringConvertible {
    case cut(length: Int, size: Int)
    case bytes([(offset: Int, byte: UInt8)], reach: Int)
    /// A whole page of SQLite's has other contents.
    case page(number: Int, contents: [UInt8])

    private static let pageSize = 4096
    /// The first pages hold what all else hangs on.
    private static let firstPages = 8

    init(of path: String, _ generator: inout Generator) throws {
        let size = (try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int) ?? 0
        guard size > 0 else { throw FixtureError("\(path) is empty") }
        let isEarly = generator.chance(0.7)
        let reach = isEarly ? min(size, Self.firstPages * Self.pageSize) : size
        switch generator.int(0...2) {
        case 0:
            self = .cut(length: generator.int(0...reach - 1), size: size)
        case 1:
            let count = generator.int(1...400)
            self = .bytes(
                (0..<count).map { _ in
                    (generator.int(0...reach - 1), UInt8.random(in: 0...255, using: &generator))
                }, reach: reach)
        default:
            let pages = max(1, reach / Self.pageSize)
            let isZero = generator.chance(0.5)
            self = .page(
                number: generator.int(0...pages - 1),
                contents: (0..<Self.pageSize).map { _ in isZero ? 0 : UInt8.random(in: 0...255, using: &generator) })
        }
    }

    func inflict(on path: String) throws {
        guard let file = FileHandle(forUpdatingAtPath: path) else { throw FixtureError("cannot open \(path)") }
        defer { try? file.close() }
        switch self {
        case .cut(let length, _):
            try file.truncate(atOffset: UInt64(length))
        case .bytes(let changes, _):
            for (offset, byte) in changes {
                try file.seek(toOffset: UInt64(offset))
                try file.write(contentsOf: [byte])
            }
        case .page(let number, let contents):
            try file.seek(toOffset: UInt64(number * Self.pageSize))
            try file.write(contentsOf: contents)
        }
    }

    var description: String {
        switch self {
        case .cut(let length, let size): "cut off at \(length) of \(size) bytes"
        case .bytes(let changes, let reach): "\(changes.count) of the first \(reach) bytes changed"
        case .page(let number, let contents):
            "page \(number + 1) \(contents.allSatisfy { $0 == 0 } ? "zeroed" : "filled with noise")"
        }
    }
}
