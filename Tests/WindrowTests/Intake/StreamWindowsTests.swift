import Testing

@testable import Windrow

private let rule = StreamRule(stream: 1, maxGap: 100, maxSpan: 1000)
private let node = NodeName.id(NodeID(7)!)
private let uuid = NodeUUID(high: 1, low: 2)

private func range(_ first: Int64, _ last: Int64) -> TimeRange {
    TimeRange(first: Timestamp(microseconds: first), last: Timestamp(microseconds: last))
}

/// Plays messages through stream windows, one batch each, and answers the ranges that they got.
private struct Player {
    var streams = StreamWindows()
    var ids: [NodeUUID: NodeID] = [:]

    mutating func play(
        _ times: [Int64], _ action: EditAction = .stream(rule), node: NodeName = node, tag: String = "t"
    ) -> TimeRange? {
        var batch = RecordBatch()
        batch.beginRecord()
        batch.append(
            action, to: SeriesName(node: node, tag: Tag(unchecked: tag)),
            points: times.map { Point(timestamp: Timestamp(microseconds: $0), value: 0) })
        let ids = ids
        streams.settle(&batch) { ids[$0] }
        if case .replace(let range) = batch.edits[0].action { return range }
        return nil
    }

    mutating func accept(
        _ times: [Int64], _ action: EditAction = .stream(rule), node: NodeName = node, tag: String = "t"
    ) -> TimeRange? {
        defer { streams.commit() }
        return play(times, action, node: node, tag: tag)
    }
}

@Suite struct StreamWindowsTests {
    @Test("the first message opens a window, and each later one extends it from the previous last point")
    func extends() {
        var player = Player()
        #expect(player.accept([10, 12]) == range(10, 12))
        #expect(player.accept([20]) == range(13, 20))
        #expect(player.accept([30, 40, 50]) == range(21, 50))
    }

    @Test("a message that goes back in time, or repeats the last timestamp, opens a new window")
    func backInTime() {
        var player = Player()
        _ = player.accept([100])
        #expect(player.accept([50, 60]) == range(50, 60))
        #expect(player.accept([60]) == range(60, 60))
        #expect(player.accept([70]) == range(61, 70))
    }

    @Test("a gap longer than max_gap opens a new window, one exactly as long does not")
    func gap() {
        var player = Player()
        _ = player.accept([0])
        #expect(player.accept([100]) == range(1, 100))
        #expect(player.accept([201]) == range(201, 201))
    }

    @Test("a window that would span more than max_span is not extended")
    func span() {
        var player = Player()
        _ = player.accept([0])
        for time in stride(from: Int64(100), through: 1000, by: 100) {
            #expect(player.accept([time]) == range(time - 99, time))
        }
        #expect(player.accept([1001]) == range(1001, 1001))
    }

    @Test(
        "anyone else's edit of the series ends its window: another mode, another stream",
        arguments: [
            EditAction.insert, .update, .replace(range(0, 5)),
            .stream(StreamRule(stream: 2, maxGap: 100, maxSpan: 1000)),
        ])
    func otherEdits(other: EditAction) {
        var player = Player()
        _ = player.accept([0])
        _ = player.accept([5], other)
        #expect(player.accept([10]) == range(10, 10))
    }

    @Test("edits of other series leave the window open")
    func otherSeries() {
        var player = Player()
        _ = player.accept([0])
        _ = player.accept([5], .insert, tag: "u")
        _ = player.accept([5], .insert, node: .id(NodeID(8)!))
        #expect(player.accept([10]) == range(1, 10))
    }

    @Test("a node's number and its UUID find the same window")
    func bothNames() {
        var player = Player(ids: [uuid: NodeID(7)!])
        _ = player.accept([0])
        #expect(player.accept([10], node: .uuid(uuid)) == range(1, 10))
        _ = player.accept([15], .insert, node: .uuid(uuid))
        #expect(player.accept([20]) == range(20, 20))
    }

    @Test("a UUID whose number is not known may be any node's, so its edit ends the windows of its tag")
    func unknownUUID() {
        var player = Player()
        _ = player.accept([0])
        _ = player.accept([0], tag: "u")
        _ = player.accept([5], .insert, node: .uuid(uuid))
        #expect(player.accept([10]) == range(10, 10))
        #expect(player.accept([10], tag: "u") == range(1, 10))
        _ = player.accept([15], node: .uuid(uuid))
        _ = player.accept([16], .update)
        #expect(player.accept([20], node: .uuid(uuid)) == range(20, 20))
    }

    @Test("a window stays open when the number of its UUID becomes known")
    func numberBecomesKnown() {
        var player = Player()
        _ = player.accept([0], node: .uuid(uuid))
        player.ids[uuid] = NodeID(7)!
        #expect(player.accept([10], node: .uuid(uuid)) == range(1, 10))
        #expect(player.accept([20]) == range(11, 20))
    }

    @Test("what was not accepted leaves the windows as they were")
    func reverts() {
        var player = Player()
        _ = player.accept([0])
        _ = player.play([10])
        _ = player.play([5], .insert)
        _ = player.play([20], tag: "u")
        player.streams.revert()
        #expect(player.accept([30]) == range(1, 30))
        #expect(player.accept([30], tag: "u") == range(30, 30))
    }
}
