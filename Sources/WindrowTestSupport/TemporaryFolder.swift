import Foundation
import Synchronization

/// A folder that is gone with the value.
public final class TemporaryFolder: Sendable {
    public let path: String
    private let isKept = Atomic(false)

    /// - Parameters:
    ///   - name: the beginning of the folder's name.
    ///   - inMemory: where to sync costs nothing, for tests that look at what files hold and not at how they came there.
    public init(_ name: String = "windrow-test", inMemory: Bool = false) throws {
        let memory = "/dev/shm"
        let place =
            inMemory && access(memory, W_OK) == 0
            ? URL(fileURLWithPath: memory) : FileManager.default.temporaryDirectory
        path = place.appendingPathComponent("\(name).\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        if !isKept.load(ordering: .acquiring) { remove() }
    }

    /// Leaves the folder where it is when the value goes.
    public func keep() {
        isKept.store(true, ordering: .releasing)
    }

    /// Removes the folder now: for one that lives as long as the process, whose end runs no deinit.
    public func remove() {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file into the folder and answers its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        let file = path + "/" + name
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
