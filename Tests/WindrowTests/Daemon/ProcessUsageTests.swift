import Glibc
import Testing

@testable import Windrow

@Suite struct ProcessUsageTests {
    @Test("what the kernel tells of a process is read behind its name, whatever that is")
    func stat() {
        let usage = ProcessUsage(
            stat: """
                815 (a) R 9 (b) S 1 815 815 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 17 0 3000 204800 64 18446744073709551615 1
                """, bootTime: 1000, ticks: 100, pageSize: 4096)
        #expect(usage.cpuSeconds == 3)
        #expect(usage.threads == 17)
        #expect(usage.startTime == 1030)
        #expect(usage.virtualBytes == 204_800)
        #expect(usage.residentBytes == 262_144)
    }

    @Test("where the kernel tells nothing, nothing is told", arguments: ["", "815 (a", "815 (a) S 1"])
    func nothing(stat: String) {
        let usage = ProcessUsage(stat: stat, bootTime: 1000)
        #expect(usage.cpuSeconds == nil && usage.threads == nil && usage.startTime == nil && usage.residentBytes == nil)
    }

    @Test("open file descriptors are counted")
    func descriptors() throws {
        let before = try #require(ProcessUsage.current.openDescriptors)
        let opened = (0..<8).map { _ in open("/dev/null", O_RDONLY) }
        defer { for descriptor in opened { close(descriptor) } }
        let after = try #require(ProcessUsage.current.openDescriptors)
        // Others may open and close some at the same time.
        #expect(abs(after - before - 8) <= 4)
    }
}
