import Foundation
import FuzzTargets
import Testing
import WindrowTestSupport

/// What the fuzzers begin with and what they once found, fed to the same code without a fuzzer.
@Suite struct CorpusTests {
    private static func corpus(_ target: FuzzTarget) throws -> [(name: String, bytes: [UInt8])] {
        let folder = URL(fileURLWithPath: Project.root + "/Tests/Corpora/" + target.rawValue)
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).map { file in
            (file.lastPathComponent, Array(try Data(contentsOf: file)))
        }
    }

    @Test("no input of a corpus breaks a promise; those named bad are refused", arguments: FuzzTarget.allCases)
    func corpora(target: FuzzTarget) throws {
        let inputs = try Self.corpus(target)
        #expect(inputs.count > 20)
        for (name, bytes) in inputs {
            do {
                let isAccepted = try bytes.withUnsafeBytes { try target.run($0) }
                #expect(!isAccepted || !name.hasPrefix("bad-"), "\(target.rawValue)/\(name)")
            } catch {
                Issue.record("\(target.rawValue)/\(name): \(error)")
            }
        }
    }
}
