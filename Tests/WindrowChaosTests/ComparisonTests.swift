import Foundation
import Testing

@testable import WindrowChaos

@Suite struct ComparisonTests {
    private static let name = SeriesName(node: .id(1), tag: "t")

    private func cell(_ time: Int64, _ value: Double, _ injection: Int32, isStored: Bool = true) -> Table.Cell {
        Table.Cell(microseconds: time, value: value, injection: injection, isStored: isStored)
    }

    @Test("lost, wrong and doubled points are counted for the injection under which they were last written")
    func tallies() {
        let table = Table(cells: [
            cell(10, 1, 0), cell(20, 2, 1), cell(30, 3, 2), cell(40, 4, 3, isStored: false),
            cell(50, 5, 3, isStored: false), cell(60, 6, 1),
        ])
        var comparison = Comparison(excused: nil)
        comparison.compare(
            Self.name, table,
            stored: [(5, 0), (10, 1), (30, 9), (40, 4), (60, 6), (70, 0)].map { Point(microseconds: $0, value: $1) })
        #expect(
            comparison.tallies == [
                0: Tally(stored: 1, doubled: 2), 1: Tally(stored: 1, lost: 1), 2: Tally(wrong: 1),
                3: Tally(doubled: 1),
            ])
        #expect(comparison.examples.count == 5)
    }

    @Test("of a stream, the old points between and past its messages are told apart")
    func stream() throws {
        var plan = StreamPlan(seed: 1, client: 0, node: 1, seriesCount: 1, limit: 40)
        var model = StreamModel(plan)
        var messages: [StreamPlan.Message] = []
        while let message = plan.next() { messages.append(message) }
        for (number, message) in messages.enumerated() { model.apply(message, injection: number) }
        let last = try #require(messages.last?.points.last?.microseconds)
        let sent = messages.flatMap(\.points)
        let past = plan.oldPoints.filter { $0.microseconds > last }
        // The gap before the third message.
        let gap = plan.oldPoints.filter {
            $0.microseconds > messages[1].points.last?.microseconds ?? 0
                && $0.microseconds < messages[2].points[0].microseconds
        }
        #expect(gap.count == 2)

        func examine(_ stored: [Point], starts: Int) -> (tally: Tally, complaint: String?) {
            let stored = stored.sorted { $0.microseconds < $1.microseconds }
            let (table, complaint) = model.expected(0, stored: stored, starts: starts)
            var comparison = Comparison(excused: nil)
            comparison.compare(Self.name, table, stored: stored)
            return (comparison.tallies.values.reduce(into: Tally()) { $0 += $1 }, complaint)
        }
        #expect(examine(sent + past, starts: 1) == (Tally(stored: sent.count + past.count), nil))
        // A start of the daemon explains a gap, and a whole one only.
        #expect(examine(sent + past + gap, starts: 2) == (Tally(stored: sent.count + past.count + 2), nil))
        #expect(examine(sent + past + gap, starts: 1).tally.doubled == 2)
        #expect(examine(sent + past + gap, starts: 1).complaint != nil)
        #expect(examine(sent + past + gap.prefix(1), starts: 2).complaint != nil)
        #expect(examine(sent + past.dropFirst(), starts: 1).tally.lost == 1)
        #expect(examine(sent.dropFirst() + past, starts: 1).tally.lost == 1)
    }

    @Test("dead letters that were not provoked are told, and so are those that are missing")
    func deadLetters() {
        func letter(_ reason: String, _ payload: String) -> JournalReader.DeadLetter {
            JournalReader.DeadLetter(id: 1, topic: "nodes/1/t", reason: reason, detail: "", payload: Data(payload.utf8))
        }
        let provoked = letter(
            "refused_by_database", #"{"data":[{"v":-666.25,"ts":"2010-01-01T00:00:00.08Z"}],"overwrite":"insert"}"#)
        let other = letter(
            "refused_by_database", #"{"data":[{"v":1.5,"ts":"2010-01-01T00:00:00.08Z"}],"overwrite":"insert"}"#)
        let time = Timestamp.poisoned + 80_000
        #expect(DeadLetterCheck([provoked, provoked], poison: [time: 0], excused: nil).complaints.isEmpty)
        #expect(DeadLetterCheck([], poison: [time: 0], excused: nil).complaints.count == 1)
        #expect(DeadLetterCheck([], poison: [time: 3], excused: 3).complaints.isEmpty)
        #expect(DeadLetterCheck([provoked, other], poison: [time: 0], excused: nil).complaints.count == 1)
        #expect(DeadLetterCheck([letter("bad_value", "1")], poison: [:], excused: nil).complaints.count == 1)
    }
}
