import Testing
import WindrowTestSupport

@Suite(.serialized) struct ChaosTests {
    @Test("a minute of faults of all kinds loses, doubles and changes nothing that was acknowledged")
    func minute() throws {
        let result = try Command.run(Project.program("windrow-chaos"), ["--minutes", "1"])
        // With its seed, for another try.
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }

    @Test("what a damaged journal loses with points waiting in it, it tells")
    func damage() throws {
        let result = try Command.run(
            Project.program("windrow-chaos"), ["--minutes", "0.02", "--faults", "damage-pending"])
        #expect(result.status == 0, "\(result.output)\(result.errors)")
    }
}
