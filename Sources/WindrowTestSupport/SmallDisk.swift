import Foundation
import Glibc

/// A small disk of its own, in memory, until the value goes. Only root may mount one.
public final class SmallDisk {
    public let folder: TemporaryFolder
    private var filler: String { folder.path + "/filler" }

    public init(mebibytes: Int) throws {
        folder = try TemporaryFolder("windrow-disk")
        try mount(mebibytes, 0)
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    /// Makes it larger, with what is on it.
    public func grow(mebibytes: Int) throws { try mount(mebibytes, UInt(MS_REMOUNT)) }

    private func mount(_ mebibytes: Int, _ flags: UInt) throws {
        guard Glibc.mount("tmpfs", folder.path, "tmpfs", flags, "size=\(mebibytes)m") == 0 else {
            throw FixtureError("cannot mount a tmpfs: \(String(cString: strerror(errno)))")
        }
    }

    /// An empty folder on it that belongs to whom another one belongs to.
    public func makeFolder(ownedLike other: String) throws -> String {
        let path = folder.path + "/space"
        var found = stat()
        guard chmod(folder.path, 0o755) == 0, mkdir(path, 0o700) == 0, stat(other, &found) == 0,
            chown(path, found.st_uid, found.st_gid) == 0
        else { throw FixtureError("cannot make \(path): \(String(cString: strerror(errno)))") }
        return path
    }

    /// Writes a file until nothing more fits.
    public func fill() {
        let file = open(filler, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        guard file >= 0 else { return }
        let piece = [UInt8](repeating: 0x55, count: 64 << 10)
        // The last bytes of a page may go where a large piece does not.
        for size in [piece.count, 512] {
            while write(file, piece, size) > 0 {}
        }
        close(file)
    }

    /// Removes the file that fills it.
    public func clear() {
        unlink(filler)
    }
}
