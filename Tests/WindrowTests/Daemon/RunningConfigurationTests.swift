import Foundation
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct RunningConfigurationTests {
    @Test("what a daemon runs with is believed while its journal is locked, whatever process has its number since")
    func believed() throws {
        let folder = try TemporaryFolder()
        let running = RunningConfiguration(Configuration(domains: []))
        try running.write(to: [folder.path])
        #expect(try RunningConfiguration.read(from: folder.path) == nil)
        do {
            let lock = try JournalLock(folder: folder.path)
            #expect(try RunningConfiguration.read(from: folder.path)?.salt == running.salt)
            _ = lock.noted
        }
        // The process runs still; the journal is nobody's.
        #expect(try RunningConfiguration.read(from: folder.path) == nil)
    }

    @Test("a daemon that ends leaves what another has noted on the same journal since")
    func successor() throws {
        let folder = try TemporaryFolder()
        let (former, later) = (
            RunningConfiguration(Configuration(domains: [])), RunningConfiguration(Configuration(domains: []))
        )
        try former.write(to: [folder.path])
        try later.write(to: [folder.path])
        former.remove(from: folder.path)
        let lock = try JournalLock(folder: folder.path)
        #expect(try RunningConfiguration.read(from: folder.path)?.salt == later.salt)
        later.remove(from: folder.path)
        #expect(try RunningConfiguration.read(from: folder.path) == nil)
        _ = lock.noted
    }

    @Test(
        "of many domains one file has the settings, and each of the others leads there, as long as it is of the same run"
    )
    func many() throws {
        let (first, second) = (try TemporaryFolder(), try TemporaryFolder())
        let firstLock = try JournalLock(folder: first.path)
        let secondLock = try JournalLock(folder: second.path)
        let running = RunningConfiguration(Configuration(logLevel: .trace, domains: []))
        try running.write(to: [first.path, second.path])
        let found = try #require(try RunningConfiguration.read(from: second.path))
        #expect(found.salt == running.salt && found.settings.isEmpty)
        #expect(try found.whole()?.settings == running.settings)
        #expect(try RunningConfiguration.read(from: first.path)?.settings == running.settings)
        try RunningConfiguration(Configuration(domains: [])).write(to: [first.path])
        #expect(try found.whole() == nil)
        _ = firstLock.noted
        _ = secondLock.noted
    }
}
