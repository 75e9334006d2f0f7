/// Writes the Prometheus text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
struct PrometheusWriter {
    enum Kind: String {
        case counter, gauge, histogram
    }

    /// Names and values of labels, as they are written between the braces.
    struct Labels: ExpressibleByDictionaryLiteral {
        private(set) var text = ""

        init(dictionaryLiteral labels: (String, String)...) {
            for (name, value) in labels { append(name, value) }
        }

        func with(_ name: String, _ value: String) -> Labels {
            var labels = self
            labels.append(name, value)
            return labels
        }

        private mutating func append(_ name: String, _ value: String) {
            if !text.isEmpty { text += "," }
            text += "\(name)=\"\(PrometheusWriter.escaped(value, quotes: true))\""
        }
    }

    private(set) var text = ""
    private var name = ""

    /// Writes what is told of the metric once, then its samples.
    mutating func metric(_ name: String, _ kind: Kind, _ help: String, _ samples: (inout PrometheusWriter) -> Void) {
        text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind.rawValue)\n"
        self.name = name
        samples(&self)
    }

    mutating func sample(suffix: String = "", _ labels: Labels, _ value: Double) {
        text += name
        text += suffix
        if !labels.text.isEmpty { text += "{\(labels.text)}" }
        text += " \(Self.number(value))\n"
    }

    mutating func sample(_ labels: Labels, _ value: Int) {
        sample(labels, Double(value))
    }

    mutating func histogram(_ labels: Labels, _ histogram: Histogram) {
        for (bound, count) in histogram.cumulative {
            sample(suffix: "_bucket", labels.with("le", Self.number(bound)), Double(count))
        }
        sample(suffix: "_sum", labels, histogram.sum)
        sample(suffix: "_count", labels, Double(histogram.count))
    }

    private static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
        let isWhole = value == value.rounded() && abs(value) < 1e15
        return isWhole ? "\(Int64(value))" : "\(value)"
    }

    private static func escaped(_ value: String, quotes: Bool) -> String {
        guard
            value.utf8.contains(where: {
                $0 == UInt8(ascii: "\\") || $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\"")
            })
        else { return value }
        // By scalars: a carriage return and a newline are one character.
        var text = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": text.append(contentsOf: #"\\"#.unicodeScalars)
            case "\n": text.append(contentsOf: #"\n"#.unicodeScalars)
            case "\"" where quotes: text.append(contentsOf: #"\""#.unicodeScalars)
            default: text.append(scalar)
            }
        }
        return String(text)
    }
}
