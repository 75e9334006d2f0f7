import Testing

@testable import Windrow

@Suite struct ReceptionTimesTests {
    private let start = ContinuousClock.now

    private func position(_ number: Int) -> JournalPosition { JournalPosition(Int64(number)) }

    @Test("a batch that waited in the journal has the time at which it was received")
    func times() {
        var times = ReceptionTimes()
        for number in 1...3 { times.note(start + .seconds(number), at: position(number * 10)) }
        let found = [9, 10, 15, 30].map { times.take(at: position($0)) }
        #expect(found == [nil, start + .seconds(1), start + .seconds(1), start + .seconds(3)])
        times.removeAll()
        let afterwards = times.take(at: position(31))
        #expect(afterwards == nil)
    }

    @Test(
        "however long batches wait, their times are never too late, and too early by a thousandth of the wait at most")
    func bounds() throws {
        var times = ReceptionTimes()
        let count = 200_000
        for number in 0..<count { times.note(start + .milliseconds(100 * number), at: position(number)) }
        var worst = Duration.zero
        for number in stride(from: 0, to: count, by: 7) {
            let found = times.take(at: position(number))
            let time = try #require(found)
            worst = max(worst, start + .milliseconds(100 * number) - time)
            if time > start + .milliseconds(100 * number) { Issue.record("too late at \(number)") }
        }
        #expect(worst <= .milliseconds(100 * count) / 1000)
        #expect(worst > .zero)
    }
}
