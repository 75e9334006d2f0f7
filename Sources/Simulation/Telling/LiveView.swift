import Foundation

/// Tells how a run is going, on standard error: on a terminal a block that is drawn again twice a second, else a line every 5 s.
struct LiveView {
    private let isTerminal: Bool
    private let interval: Int64
    private var nextDraw: Int64
    private var drawnLines = 0
    private var last = (moment: Int64(0), tally: Tally(), stored: 0.0)

    init(begin: Int64) {
        isTerminal = isatty(STDERR_FILENO) == 1
        interval = isTerminal ? 500_000_000 : 5_000_000_000
        nextDraw = begin + interval
        last.moment = begin
    }

    /// Draws if it is time to.
    mutating func update(
        _ now: Int64, _ tally: Tally, _ sight: StoredWatch.Sight?, troubles: Troubles, since begin: Int64
    ) {
        guard now >= nextDraw else { return }
        nextDraw = now + interval
        let seconds = Double(now - last.moment) / 1e9
        let latency = tally.latency.since(last.tally.latency)
        let stored = sight.map { $0.share * Double(tally.sentPoints) }
        func rate(_ value: KeyPath<Tally, Int>) -> String {
            Numbers.rate(tally[keyPath: value] - last.tally[keyPath: value], over: seconds)
        }
        let lines = [
            "\(Numbers.duration(Double(now - begin) / 1e9))  gateways \(tally.connected) of \(tally.gateways) connected, \(tally.away) away",
            "sent          \(rate(\.sentPoints)) points/s in \(rate(\.sentMessages)) messages/s, "
                + "\(Numbers.bytes(Double(tally.sentBytes - last.tally.sentBytes) / seconds))/s",
            "acknowledged  \(rate(\.acknowledgedPoints)) points/s, 50 % within \(Numbers.milliseconds(latency.milliseconds(0.5))), "
                + "99 % within \(Numbers.milliseconds(latency.milliseconds(0.99)))",
            "waiting       \(Numbers.grouped(tally.waitingPoints)) points",
            stored.map {
                "stored        about \(Numbers.grouped(Int($0))) points, \(Numbers.rate(Int($0 - last.stored), over: seconds)) points/s, "
                    + "\(Numbers.decimal(sight?.lag ?? 0, 1)) s behind" + (sight?.trouble.map { "; \($0)" } ?? "")
            },
            trouble(tally, troubles),
        ].compactMap { $0 }
        last = (now, tally, stored ?? 0)
        draw(lines)
    }

    private func trouble(_ tally: Tally, _ troubles: Troubles) -> String? {
        var parts: [String] = []
        if tally.unheardPoints > 0 {
            parts.append("\(Numbers.grouped(tally.unheardPoints)) points that nobody subscribes to")
        }
        if tally.refusedPoints > 0 { parts.append("\(Numbers.grouped(tally.refusedPoints)) points refused") }
        if tally.postponed > 0 { parts.append("\(Numbers.grouped(tally.postponed)) requests to be sent again") }
        if tally.failures > 0 { parts.append("\(Numbers.grouped(tally.failures)) connections lost or not made") }
        guard !parts.isEmpty else { return nil }
        return "trouble       " + parts.joined(separator: ", ") + (troubles.counts.last.map { " (\($0.text))" } ?? "")
    }

    /// One line about what comes after the sending.
    mutating func step(_ now: Int64, _ text: String, isLast: Bool = false) {
        guard now >= nextDraw || isLast else { return }
        nextDraw = now + interval
        draw([text])
        if isLast { end() }
    }

    /// What is drawn stays.
    mutating func end() {
        drawnLines = 0
        nextDraw = 0
    }

    private mutating func draw(_ lines: [String]) {
        var text = ""
        if isTerminal {
            if drawnLines > 0 { text += "\u{1B}[\(drawnLines)A" }
            // A line that is wider than the terminal would upset the count.
            for line in lines { text += "\u{1B}[2K\(line.prefix(Self.width()))\n" }
            if drawnLines > lines.count {
                let extra = drawnLines - lines.count
                text += String(repeating: "\u{1B}[2K\n", count: extra) + "\u{1B}[\(extra)A"
            }
            drawnLines = lines.count
        } else {
            text = lines.map { $0.replacing(#/ {2,}/#, with: " ") }.joined(separator: "; ") + "\n"
        }
        FileHandle.standardError.write(Data(text.utf8))
    }

    private static func width() -> Int {
        var size = winsize()
        return ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
    }
}
