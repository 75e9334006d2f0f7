import Foundation
import Glibc
import WindrowTestSupport

/// A small disk of its own, in memory, until the value goes. Only root may mount one.
final class SmallDisk {
    let folder: TemporaryFolder
    private var filler: String { folder.path + "/filler" }

    init(mebibytes: Int) throws {
        folder = try TemporaryFolder("windrow-chaos-disk")
        guard mount("tmpfs", folder.path, "tmpfs", 0, "size=\(mebibytes)m") == 0 else {
            throw FixtureError("cannot mount a tmpfs: \(String(cString: strerror(errno)))")
        }
    }

    deinit { umount2(folder.path, Int32(MNT_DETACH)) }

    /// Writes a file until nothing more fits.
    func fill() {
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
    func clear() {
        unlink(filler)
    }
}
