import Foundation
import LibPQ
import Synchronization

/// A number that two threads share.
final class SharedCount: Sendable {
    let value = Atomic(0)
}

/// Somebody else who writes into the same table: the points of the twin series, with the values that the gateway sends too, now a
/// little before the gateway and now after it.
final class OtherWriter {
    private let head: SharedCount
    /// One past the last point that was written.
    private(set) var reach = 0

    init(head: SharedCount) {
        self.head = head
    }

    /// Inserts around the gateway's head, one transaction each time.
    func write(_ connection: Connection, _ generator: inout Generator) throws {
        let middle = head.value.load(ordering: .acquiring)
        let first = max(0, middle + generator.int(-50...50))
        let points = (first..<first + generator.int(1...40)).map(TwinLoad.point)
        try connection.execute(
            """
            INSERT INTO windrow.point (series_id, ts, v)
            SELECT s.id, w.ts, w.v FROM windrow.series s, unnest($1::timestamptz[], $2::double precision[]) AS w (ts, v)
            WHERE s.tag = $3 ON CONFLICT DO NOTHING
            """,
            [
                .timestamptzArray(points.map(\.microseconds)), .float8Array(points.map(\.value)),
                .text(TwinLoad.series.tag),
            ])
        written.append(first..<first + points.count)
        reach = max(reach, first + points.count)
    }

    /// Numbers of the points written.
    private(set) var written: [Range<Int>] = []
}
