import Testing

@testable import Windrow

@Suite struct SliceSizeTests {
    @Test("slices grow as long as they are quick, and shrink when they are slow or collide")
    func adapts() {
        var size = SliceSize()
        for _ in 0..<20 { size.took(.milliseconds(10), rows: size.rows) }
        #expect(size.rows == SliceSize.bounds.upperBound)
        // One that is slow only halves it.
        size.took(.seconds(60), rows: size.rows)
        #expect(size.rows == SliceSize.bounds.upperBound / 2)
        // A fixed pace is settled on.
        for _ in 0..<20 { size.took(.seconds(Double(size.rows) / 100_000), rows: size.rows) }
        #expect((14_000...16_000).contains(size.rows))
        for _ in 0..<20 { size.collided() }
        #expect(size.rows == SliceSize.bounds.lowerBound)
    }
}
