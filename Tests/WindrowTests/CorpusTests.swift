import Foundation
import FuzzTargets
import Testing
import WindrowTestSupport

/// What the fuzzers begin with and what they once found, fed to the same code without a fuzzer.
@Suite struct CorpusTests {
    /// A file of a corpus.
    struct Input: CustomTestStringConvertible, Sendable {
        var target: FuzzTarget
        var name: String
        var bytes: [UInt8]
        var testDescription: String { "\(target.rawValue)/\(name)" }

        /// - Returns: whether anything in it was accepted.
        func run() async throws -> Bool {
            // On a thread of its own, as a fuzzer: some targets block theirs.
            let result = await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(returning: Result { try bytes.withUnsafeBytes { try target.run($0) } })
                }
            }
            return try result.get()
        }
    }

    private static func corpus(_ target: FuzzTarget) throws -> [Input] {
        let folder = URL(fileURLWithPath: Project.root + "/Tests/Corpora/" + target.rawValue)
        return try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil).map { file in
            Input(target: target, name: file.lastPathComponent, bytes: Array(try Data(contentsOf: file)))
        }
    }

    @Test("no input of a corpus breaks a promise; those named bad are refused", arguments: FuzzTarget.allCases)
    func corpora(target: FuzzTarget) async throws {
        let inputs = try Self.corpus(target)
        #expect(inputs.count > 20)
        for input in inputs {
            do {
                let isAccepted = try await input.run()
                #expect(!isAccepted || !input.name.hasPrefix("bad-"), "\(input.testDescription)")
            } catch {
                Issue.record("\(input.testDescription): \(error)")
            }
        }
    }
}
