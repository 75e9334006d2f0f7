import WindrowTestSupport

/// What an answer of `/metrics` holds, read by the rules of the text format alone.
struct Exposition {
    struct Sample {
        var name: String
        var labels: [String: String]
        var value: Double
    }

    let text: String
    /// By name.
    private(set) var kinds: [String: String] = [:]
    private(set) var samples: [Sample] = []

    init(_ text: String) throws {
        self.text = text
        for line in text.split(separator: "\n") {
            if line.hasPrefix("# TYPE ") {
                let words = line.split(separator: " ")
                kinds[String(words[2])] = String(words[3])
            } else if !line.hasPrefix("#") {
                samples.append(try Self.sample(line))
            }
        }
    }

    /// Every name that a query can use.
    var names: Set<String> {
        Set(
            kinds.flatMap { name, kind in
                kind == "histogram" ? ["_bucket", "_sum", "_count"].map { name + $0 } : [name]
            })
    }

    /// The names of a metric's labels, of all its samples.
    func labels(of name: String) -> Set<String> {
        Set(samples.lazy.filter { $0.name == name }.flatMap(\.labels.keys))
    }

    func values(_ name: String, _ labels: [String: String] = [:]) -> [Double] {
        samples.filter { sample in
            sample.name == name && labels.allSatisfy { sample.labels[$0.key] == $0.value }
        }.map(\.value)
    }

    private static func sample(_ line: Substring) throws -> Sample {
        guard let space = line.lastIndex(of: " "), let value = Double(line[line.index(after: space)...]) else {
            throw FixtureError("no sample: \(line)")
        }
        let series = line[..<space]
        guard let brace = series.firstIndex(of: "{") else {
            return Sample(name: String(series), labels: [:], value: value)
        }
        var labels: [String: String] = [:]
        var rest = series[series.index(after: brace)...]
        while let match = rest.prefixMatch(of: /,?([a-z_]+)="((?:[^"\\\n]|\\["\\n])*)"/) {
            labels[String(match.1)] = String(match.2.replacing(/\\(.)/) { $0.1 == "n" ? "\n" : $0.1 })
            rest = rest[match.range.upperBound...]
        }
        guard rest == "}" else { throw FixtureError("wrong labels: \(line)") }
        return Sample(name: String(series[..<brace]), labels: labels, value: value)
    }
}
