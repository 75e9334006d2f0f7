/// What the operator says about the input and what is to become of it.
public struct ImportOptions: Hashable, Sendable {
    public enum Format: String, CaseIterable, Sendable {
        case csv, ndjson
    }

    /// A column of a CSV file.
    public enum Column: Hashable, Sendable, CustomStringConvertible {
        case name(String)
        /// From 1.
        case number(Int)

        /// Digits alone are a number.
        public init(_ text: String) {
            if let number = Int(text), number > 0 { self = .number(number) } else { self = .name(text) }
        }

        public var description: String {
            switch self {
            case .name(let name): String(quoting: name)
            case .number(let number): "\(number)"
            }
        }
    }

    /// nil goes by the file's name: `.csv`, `.ndjson`, `.jsonl`, each also with `.gz`.
    public var format: Format?
    public var delimiter = UInt8(ascii: ",")
    public var hasHeader = true
    public var nodeColumn: Column?
    public var tagColumn: Column?
    public var timestampColumn: Column?
    public var valueColumn: Column?
    /// The node, and the tag, of all points.
    public var node: NodeName?
    public var tag: Tag?
    /// Each column that is not the node or the timestamp has the values of a tag.
    public var tagsFromColumns = false
    /// Numeric timestamps are counted in it.
    public var epoch: EpochUnit?
    /// Seconds east of UTC, of timestamps that do not say it.
    public var timeZone: Int?
    public var overwrite = Overwrite.insert

    public init() {}

    /// The format of a file; throws when neither the options nor its name tell it.
    func format(of path: String) throws(TransferError) -> Format {
        if let format { return format }
        var name = path.lowercased()
        if name.hasSuffix(".gz") { name.removeLast(3) }
        if name.hasSuffix(".csv") { return .csv }
        if name.hasSuffix(".ndjson") || name.hasSuffix(".jsonl") { return .ndjson }
        throw TransferError(
            .usage,
            "\(path == "-" ? "standard input has no name" : "the name of \(path) does not tell"): "
                + "say --format csv or --format ndjson")
    }

    /// All that changes what the input means, in words that stay the same: a part of an import's identity.
    func meaning(as format: Format) -> String {
        let columns = [nodeColumn, tagColumn, timestampColumn, valueColumn]
        let parts: [String] = [
            format.rawValue, "\(delimiter)", "\(hasHeader)",
            columns.map { $0?.description ?? "" }.joined(separator: "\n"),
            node?.description ?? "", tag?.name ?? "", "\(tagsFromColumns)", epoch?.rawValue ?? "",
            timeZone.map(String.init) ?? "", overwrite.rawValue,
        ]
        return parts.joined(separator: "\0")
    }
}
