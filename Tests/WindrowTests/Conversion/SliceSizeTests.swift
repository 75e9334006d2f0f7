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

    @Test("a rate is kept to, and time that was lost is not caught up with")
    func pace() {
        let pace = Pace(rate: 1000)
        #expect(pace.limit(200_000) == 500 && pace.limit(20) == 20)
        #expect(pace.pause(after: 500, in: .milliseconds(100)) == .milliseconds(400))
        #expect(pace.pause(after: 500, in: .seconds(60)) == .zero)
        #expect(Pace(rate: nil).pause(after: 500, in: .zero) == .zero && Pace(rate: nil).limit(7) == 7)
    }
}
