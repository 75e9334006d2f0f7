import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct CheckTests {
    /// As docs/operations.md names them.
    private static let needed: KeyValuePairs = [
        "migration": ["SELECT"],
        "point": ["SELECT", "INSERT", "UPDATE", "DELETE"],
        "progress": ["SELECT", "INSERT", "UPDATE", "DELETE"],
        "series": ["SELECT", "INSERT", "UPDATE"],
        "shared_session": ["SELECT", "INSERT", "DELETE"],
        "node": ["SELECT", "INSERT"],
    ]

    @Test("of a user that does not own the tables each privilege is told that it needs and has not got")
    func privileges() throws {
        let fixture = try WriterFixture()
        let folder = try TemporaryFolder()
        let configuration = Configuration(
            journal: JournalConfiguration(directory: folder.path),
            domains: [
                Configuration.Domain(name: "demo", postgres: Secret(fixture.conninfo + " user=visitor"), brokers: [])
            ])
        func findings() -> [Check.Finding] {
            var findings: [Check.Finding] = []
            Check(configuration).run { findings.append($0) }
            return findings
        }

        try fixture.asSuperuser { superuser in
            try superuser.script("CREATE ROLE visitor LOGIN; GRANT USAGE ON SCHEMA windrow TO visitor")
            for (table, privileges) in Self.needed {
                try superuser.script("GRANT \(privileges.joined(separator: ", ")) ON windrow.\(table) TO visitor")
            }
            #expect(findings().allSatisfy { $0.verdict == .good })
            for (table, privileges) in Self.needed {
                for privilege in privileges {
                    try superuser.script("REVOKE \(privilege) ON windrow.\(table) FROM visitor")
                    let wrong = findings().filter { $0.verdict == .wrong }.map(\.message)
                    #expect(wrong.count == 1 && wrong[0].contains(table), "\(privilege) on \(table): \(wrong)")
                    try superuser.script("GRANT \(privilege) ON windrow.\(table) TO visitor")
                }
            }
        }
    }
}
