import Foundation
import GRDB
import Logging
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct DeadLetterTests {
    @Test(
        "a topic filter means what MQTT says",
        arguments: [
            ("nodes/1/t", "nodes/1/t", true), ("nodes/1/t", "nodes/+/t", true), ("nodes/1/t", "nodes/#", true),
            ("nodes/1/t", "#", true), ("nodes", "nodes/#", true), ("nodes/1/t", "nodes/+", false),
            ("nodes/1", "nodes/1/t", false), ("nodes//t", "nodes/+/t", true), ("nodes/1/t", "nodes/2/#", false),
            // As the configuration has it.
            ("nodes/1/t", "nodes/{node}/{tag}", true), ("nodes/1", "nodes/{node}/{tag}", false),
            ("nodes/1/t", "$share/windrow/nodes/{node}/{tag}", true), ("nodes/1/t", "$share/a/nodes/+/u", false),
            ("a/1/t", "$share/windrow/#", true), ("/t", "$share/windrow//t", true), ("t", "$share/windrow//t", false),
        ])
    func topicFilter(topic: String, filter: String, matches: Bool) {
        #expect(TopicFilter(filter)?.matches(topic) == matches)
    }

    @Test(
        "what is no topic filter is refused",
        arguments: ["", "a/#/b", "a+", "$share", "$share/a", "$share/a/", "$share//b", "$share/+/b", "$share/a/b#"])
    func noTopicFilter(text: String) {
        #expect(TopicFilter(text) == nil)
    }

    private static func journal(_ folder: TemporaryFolder) throws -> Journal {
        try Journal(
            folder: folder.path + "/d", bounds: Journal.Bounds(maxSize: 64 << 20, maxDeadLetters: 1 << 20),
            log: Logger(label: "test"))
    }

    private static func letter(_ text: String) -> DeadLetter {
        Array(text.utf8).withUnsafeBytes {
            DeadLetter(receivedAt: .now, topic: "nodes/1/t", payload: $0, rejection: Rejection(.badValue, "no"))
        }
    }

    @Test("an operator's command and the daemon work on the same letters, and the daemon counts anew")
    func besideTheDaemon() throws {
        let folder = try TemporaryFolder()
        let journal = try Self.journal(folder)
        for number in 0..<3 { _ = try journal.append([], deadLetters: [Self.letter("\(number)")]) }
        let letters = try #require(try DeadLetters(of: "d", JournalConfiguration(directory: folder.path)))
        #expect(letters.isDaemonRunning)
        var filter = DeadLetterFilter()
        filter.ids = [2]
        #expect(try letters.drop(filter) == 1)
        let before = journal.usage.withLock { $0.deadLetterBytes }
        try journal.noticeOthers()
        #expect(before != nil && journal.usage.withLock { $0.deadLetterBytes } == nil)
        filter.ids = []
        #expect(try letters.askForRetry(filter).marked == [1, 3])
        #expect(try letters.askForRetry(filter).marked == [], "each is marked once")
        #expect(try journal.lettersToRetry(limit: 10).map(\.id) == [1, 3])
        // Accepting the points and removing the letter is one transaction.
        _ = try journal.append([], retried: [1])
        try journal.refusedAgain(3, Rejection(.badTimestamp, "why", pointer: "/ts"))
        #expect(try letters.waitingForRetry() == 0)
        let left = try journal.deadLetters(limit: 10)
        #expect(left.map(\.id) == [3])
        #expect(left.map(\.letter.detail) == ["why (at /ts)"])
        try journal.close()
    }

    @Test("a journal of the first format is upgraded, with what it holds")
    func upgrade() throws {
        let folder = try TemporaryFolder()
        do {
            let journal = try Self.journal(folder)
            _ = try journal.append([], deadLetters: [Self.letter("old")])
            try journal.close()
        }
        let file = folder.path + "/d/journal.sqlite"
        try DatabaseQueue(path: file).write { db in
            try db.execute(
                sql: """
                    DROP INDEX dead_letter_retry;
                    ALTER TABLE dead_letter DROP COLUMN retry;
                    ALTER TABLE dead_letter DROP COLUMN overwrite;
                    PRAGMA user_version = 1;
                    """)
        }
        #expect(throws: JournalError.self) {
            _ = try DeadLetters(of: "d", JournalConfiguration(directory: folder.path))
        }
        let journal = try Self.journal(folder)
        #expect(try journal.deadLetters(limit: 1).map(\.letter.payload) == [Array("old".utf8)])
        try journal.close()
    }
}
