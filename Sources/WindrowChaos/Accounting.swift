/// The daemon's own account of what became of the points that came in.
struct Accounting {
    private static let came = ["received_total", "replayed_total"]
    private static let went = [
        "inserted_total", "updated_total", "kept_total", "superseded_total", "rejected_total", "pending",
    ]

    /// All from one moment.
    private let metrics: [String: Double]

    init(_ metrics: [String: Double]) {
        self.metrics = metrics
    }

    private func count(_ name: String) -> Int {
        Int(metrics[#"windrow_points_\#(name){domain="demo"}"#] ?? 0)
    }

    var isClosed: Bool { sum(Self.came) == sum(Self.went) && sum(Self.came) > 0 && count("pending") == 0 }

    var description: String {
        func list(_ names: [String]) -> String {
            names.map { "\(Report.number(count($0))) \($0.replacing("_total", with: ""))" }.joined(separator: " + ")
        }
        return "\(list(Self.came)) \(sum(Self.came) == sum(Self.went) ? "=" : "≠") \(list(Self.went))"
    }

    private func sum(_ names: [String]) -> Int { names.reduce(0) { $0 + count($1) } }
}
