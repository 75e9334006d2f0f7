import Testing

@testable import Windrow

@Suite("A configuration's values")
struct ConfigurationValueTests {
    @Test(
        "read durations with their unit",
        arguments: [
            ("500ms", .value(.milliseconds(500))), ("1s", .value(.seconds(1))), ("5m", .value(.seconds(300))),
            ("2h", .value(.seconds(7200))), ("7d", .value(.seconds(604_800))), ("1w", .value(.seconds(604_800))),
            ("0s", .value(.zero)), ("007s", .value(.seconds(7))),
            ("99999999999999999999d", .value(.milliseconds(Int64.max))),
            ("9223372036854775807s", .value(.milliseconds(Int64.max))),
            ("5", .missingUnit), ("", .malformed), ("s", .malformed), ("1.5s", .malformed), ("-1s", .malformed),
            ("+1s", .malformed),
            ("1 s", .malformed), (" 1s", .malformed), ("1S", .malformed), ("1min", .malformed), ("1h30m", .malformed),
            ("1us", .malformed), ("١s", .malformed),
        ] as [(String, ParsedQuantity<Duration>)])
    func durations(text: String, expected: ParsedQuantity<Duration>) {
        #expect(DurationText.parse(text) == expected)
    }

    @Test(
        "show durations in the longest unit that fits",
        arguments: [
            (.zero, "0s"), (.milliseconds(1), "1ms"), (.milliseconds(1500), "1500ms"), (.seconds(60), "1m"),
            (.seconds(90), "90s"),
            (.seconds(3600), "1h"), (.seconds(604_800), "7d"), (.seconds(4_294_967_294), "4294967294s"),
        ] as [(Duration, String)])
    func shownDurations(duration: Duration, expected: String) {
        #expect(DurationText.format(duration) == expected)
    }

    @Test(
        "read sizes with their unit",
        arguments: [
            ("0B", .value(0)), ("512B", .value(512)), ("1KiB", .value(1024)), ("3MiB", .value(3_145_728)),
            ("4GiB", .value(4_294_967_296)), ("1TiB", .value(1_099_511_627_776)), ("1KB", .value(1000)),
            ("1MB", .value(1_000_000)),
            ("2GB", .value(2_000_000_000)), ("1TB", .value(1_000_000_000_000)), ("8388608TiB", .value(.max)),
            ("99999999999999999999B", .value(.max)), ("64", .missingUnit), ("64M", .malformed), ("64mib", .malformed),
            ("1.5GiB", .malformed), ("64 MiB", .malformed), ("", .malformed), ("GiB", .malformed),
        ] as [(String, ParsedQuantity<Int64>)])
    func sizes(text: String, expected: ParsedQuantity<Int64>) {
        #expect(SizeText.parse(text) == expected)
    }

    @Test(
        "show sizes in the largest binary unit that fits",
        arguments: [
            (0, "0B"), (1000, "1000B"), (1024, "1KiB"), (64 << 20, "64MiB"), (5 << 30, "5GiB"), (16 << 40, "16TiB"),
        ] as [(Int64, String)])
    func shownSizes(bytes: Int64, expected: String) {
        #expect(SizeText.format(bytes) == expected)
    }

    @Test(
        "read a broker's address, and write it in full",
        arguments: [
            ("mqtt://h", "mqtt://h:1883"), ("mqtts://h", "mqtts://h:8883"),
            ("mqtt://10.0.0.1:1884", "mqtt://10.0.0.1:1884"),
            ("mqtts://[2001:db8::1]", "mqtts://[2001:db8::1]:8883"),
            ("mqtt://[fe80::1%eth0]:1", "mqtt://[fe80::1%eth0]:1"),
            ("mqtt://a-b.c_d.example:65535", "mqtt://a-b.c_d.example:65535"),
        ])
    func brokerAddresses(text: String, full: String) {
        #expect(Configuration.BrokerAddress(parsing: text)?.description == full)
    }

    @Test(
        "read a listening address, and write it in full",
        arguments: [
            ("127.0.0.1:8081", "127.0.0.1:8081"), ("[::]:80", "[::]:80"), ("localhost:0", "localhost:0"), ("h", nil),
            (":80", nil),
            ("*:80", nil), ("h:65536", nil), ("::1:80", nil), ("[::1]", nil), ("[::1]80", nil), ("[127.0.0.1]:80", nil),
            ("http://h:80", nil), ("h:80/", nil), ("h:8O", nil), ("h::80", nil), ("[::1%]:80", nil), ("", nil),
            ("[", nil),
        ])
    func listenAddresses(text: String, full: String?) {
        #expect(Configuration.ListenAddress(parsing: text)?.description == full)
    }

    @Test(
        "accept only schema names that need no quotes",
        arguments: [
            ("windrow", true), ("_x1", true), ("user", true), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false), ("1a", false), ("Windrow", false), ("a-b", false),
            ("a.b", false),
            ("'a\"b'", false), ("pg_x", false), ("pgx", true), ("information_schema", false), ("é", false),
            ("''", false),
        ])
    func schemas(name: String, accepted: Bool) {
        let yaml = minimalConfiguration.replacing("    mqtt:", with: "    schema: \(name)\n    mqtt:")
        #expect(((try? parseConfiguration(yaml)) != nil) == accepted)
    }

    @Test(
        "accept only domain names that a folder and a URL can bear",
        arguments: [
            ("demo", true), ("0-_", true), (String(repeating: "a", count: 63), true),
            (String(repeating: "a", count: 64), false),
            ("Demo", false), ("a.b", false), ("..", false), ("a/b", false), ("a b", false), ("ä", false), ("''", false),
        ])
    func domainNames(name: String, accepted: Bool) {
        #expect(
            ((try? parseConfiguration(minimalConfiguration.replacing("  demo:", with: "  \(name):"))) != nil)
                == accepted)
    }

    @Test(
        "read dates and RFC 3339 times, quoted or not",
        arguments: [
            ("1990-01-01", 631_152_000_000_000), ("\"1990-01-01\"", 631_152_000_000_000),
            ("2000-01-01T00:00:00Z", 946_684_800_000_000), ("'2000-01-01T00:00:00Z'", 946_684_800_000_000),
        ])
    func dates(text: String, microseconds: Int64) throws {
        let yaml = minimalConfiguration.replacing("    mqtt:", with: "    timestamps: {oldest: \(text)}\n    mqtt:")
        #expect(try parseConfiguration(yaml).domains[0].timestamps.oldest == Timestamp(microseconds: microseconds))
    }

    @Test(
        "name the key that was most likely meant",
        arguments: [
            ("max_point", "max_points"), ("maxPoints", "max_points"), ("max-points", "max_points"),
            ("MAX_POINTS", "max_points"),
            ("intreval", "interval"), ("inter", "interval"), ("m", nil), ("lanes", nil), ("", nil),
        ])
    func closest(typed: String, expected: String?) {
        #expect(closestName(to: typed, among: ["interval", "max_points", "s"]) == expected)
    }
}
