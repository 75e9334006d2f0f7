import Foundation
import Testing
import WindrowTestSupport

@testable import Windrow

/// `docs/metrics.md` has tables between marks, which are written from what `/metrics` tells.
@Suite struct MetricDocumentTests {
    private static let groups: [(mark: String, families: [MetricFamily])] = [
        ("process", MetricFamily.process), ("points", MetricFamily.points), ("brokers", MetricFamily.brokers),
        ("requests", MetricFamily.requests), ("journal", MetricFamily.journal), ("writer", MetricFamily.writer),
    ]

    private static func table(_ families: [MetricFamily]) -> String {
        let rows = families.map { family in
            let labels = family.labels.map { "`\($0)`" }.joined(separator: " ")
            return "| `\(family.name)` | \(family.kind.rawValue) | \(labels) | \(family.help) |"
        }
        return (["| metric | type | labels | |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    }

    @Test("docs/metrics.md has every metric as /metrics tells it")
    func document() throws {
        let path = Project.root + "/docs/metrics.md"
        var text = try String(contentsOfFile: path, encoding: .utf8)
        let before = text
        for (mark, families) in Self.groups {
            let begin = try #require(text.range(of: "<!-- metrics: \(mark) -->\n"), "no table \(mark)")
            let end = try #require(text.range(of: "\n<!-- end -->", range: begin.upperBound..<text.endIndex))
            text.replaceSubrange(begin.upperBound..<end.lowerBound, with: Self.table(families))
        }
        #expect(Self.groups.flatMap(\.families).map(\.name) == PrometheusText.families.map(\.name))
        if ProcessInfo.processInfo.environment["WINDROW_WRITE_DOCS"] != nil {
            try text.write(toFile: path, atomically: true, encoding: .utf8)
        } else {
            #expect(text == before, "write it anew: WINDROW_WRITE_DOCS=1 deploy/test --filter MetricDocumentTests")
        }
    }

    @Test("names are of Prometheus' form, each is there once, and what is counted says so")
    func names() {
        let families = PrometheusText.families
        #expect(Set(families.map(\.name)).count == families.count)
        for family in families {
            #expect(family.name.wholeMatch(of: /(windrow|process)(_[a-z]+)+/) != nil, "\(family.name)")
            #expect((family.kind == .counter) == family.name.hasSuffix("_total"), "\(family.name)")
            #expect(family.help.hasSuffix("."), "\(family.name)")
        }
    }
}
