import Testing

@testable import Windrow

@Suite struct PrometheusWriterTests {
    @Test("a label's value may hold anything")
    func escaping() {
        var writer = PrometheusWriter()
        writer.metric("a_total", .counter, "With \\ and \"quotes\"\nand lines.") {
            $0.sample(["b": "c:\\d \"e\"\r\nf", "g": "Ü"], 1)
        }
        #expect(
            writer.text == #"""
                # HELP a_total With \\ and "quotes"\nand lines.
                # TYPE a_total counter
                a_total{b="c:\\d \"e\"\#r\nf",g="Ü"} 1

                """#)
    }

    @Test(
        "numbers are written as Prometheus reads them",
        arguments: [
            (0, "0"), (-3, "-3"), (0.25, "0.25"), (1e15, "1000000000000000.0"), (.infinity, "+Inf"), (.nan, "NaN"),
        ])
    func numbers(value: Double, text: String) {
        var writer = PrometheusWriter()
        writer.metric("a", .gauge, "A.") { $0.sample([:], value) }
        #expect(writer.text.hasSuffix("\na \(text)\n"))
    }

    @Test("a histogram is written with ascending buckets, their sum and their count")
    func histograms() {
        var histogram = Histogram(.points)
        histogram.observe(1)
        histogram.observe(6, weight: 2)
        var writer = PrometheusWriter()
        writer.metric("a", .histogram, "A.") { $0.histogram(["b": "c"], histogram) }
        let lines = writer.text.split(separator: "\n")
        #expect(lines[1] == "# TYPE a histogram")
        #expect(
            lines[2..<6] == [
                #"a_bucket{b="c",le="1"} 1"#, #"a_bucket{b="c",le="2"} 1"#, #"a_bucket{b="c",le="5"} 1"#,
                #"a_bucket{b="c",le="10"} 3"#,
            ])
        #expect(lines.suffix(3) == [#"a_bucket{b="c",le="+Inf"} 3"#, #"a_sum{b="c"} 13"#, #"a_count{b="c"} 3"#])
    }
}
