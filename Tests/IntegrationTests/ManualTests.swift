import Foundation
import Testing
import WindrowTestSupport

@Suite struct ManualTests {
    @Test(
        "the manual page has every command and every option that --help tells, and is well-formed")
    func complete() throws {
        let folder = try TemporaryFolder()
        let windrow = Project.program("windrow")
        try Command.require(Project.root + "/deploy/man", [windrow, folder.path, "2026-11-23"])
        let page = try String(contentsOfFile: folder.path + "/windrow.1", encoding: .utf8)
        // Up to the next command.
        let sections = Dictionary(
            uniqueKeysWithValues: page.components(separatedBy: "\n.Ss ").dropFirst().map {
                (String($0.prefix { $0 != "\n" }), $0)
            })
        var untold = [["windrow"]]
        var told = 0
        while let command = untold.popLast() {
            let help = try Command.require(windrow, command.dropFirst() + ["--help"])
            untold += subcommands(in: help).map { command + [$0] }
            if command.count == 1 { continue }
            told += 1
            let section = try #require(sections[command.joined(separator: " ")], "\(command)")
            for option in help.matches(of: /--([a-z][a-z-]+)/) where !["help", "version"].contains(option.output.1) {
                #expect(section.contains("Fl -\(option.output.1)"), "\(command) --\(option.output.1)")
            }
        }
        #expect(told == sections.count && told >= 9)
        for name in ["windrow.1", "windrow.yaml.5"] {
            try Command.require("mandoc", ["-T", "lint", "-W", "warning", folder.path + "/" + name])
        }
    }

    /// The names under SUBCOMMANDS, which are indented by two.
    private func subcommands(in help: String) -> [String] {
        guard let list = help.components(separatedBy: "SUBCOMMANDS:\n").dropFirst().first else { return [] }
        return list.components(separatedBy: "\n").prefix { $0.hasPrefix("  ") }.compactMap { line in
            line.hasPrefix("   ") ? nil : line.split(separator: " ").first.map(String.init)
        }
    }
}
