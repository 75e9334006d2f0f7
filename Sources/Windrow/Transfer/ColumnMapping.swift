/// Which cell of a CSV row says what. Pure.
struct ColumnMapping: Equatable {
    enum Source<Constant: Equatable>: Equatable {
        /// The place of the cell, from 0.
        case column(Int)
        case constant(Constant)
    }

    /// A column of values.
    struct Values: Equatable {
        var column: Int
        /// nil: `tag` tells.
        var tag: Tag?
        /// As errors call it.
        var name: String
    }

    var node: Source<NodeName>
    /// nil when each column of values has a tag of its own.
    var tag: Source<Tag>?
    var timestamp: Int
    var values: [Values]
    /// How many cells a row has.
    var count: Int

    private static let nodeNames = ["node_id", "node"]
    private static let tagNames = ["tag"]
    private static let timestampNames = ["ts", "time", "timestamp"]
    private static let valueNames = ["v", "value"]

    /// - Parameters:
    ///   - header: the names of the columns; nil without a header line: then the options give numbers, or the columns are node, tag,
    ///     ts and v as far as they are not constant.
    ///   - count: the columns of the first row.
    init(_ options: ImportOptions, header: [String]?, count: Int) throws(TransferError) {
        self.count = count
        var usual = 0
        func place(
            _ option: ImportOptions.Column?, _ flag: String, _ names: [String], _ what: String
        ) throws(TransferError) -> Int {
            switch option {
            case .number(let number):
                guard number <= count else {
                    throw TransferError(.badData, "\(flag) \(number): the first line has \(Self.columns(count))")
                }
                return number - 1
            case .name(let name):
                guard let header else {
                    throw TransferError(
                        .usage, "\(flag) \(name): without a header line a column is named by its number")
                }
                return try Self.find([name], in: header, flag, what)
            case nil:
                if let header { return try Self.find(names, in: header, flag, what) }
                defer { usual += 1 }
                guard usual < count else {
                    throw TransferError(
                        .badData,
                        "there is no column for \(what): the first line has \(Self.columns(count)); see \(flag)")
                }
                return usual
            }
        }
        var taken: Set<Int> = []
        if let constant = options.node {
            node = .constant(constant)
        } else {
            let column = try place(options.nodeColumn, "--node-column", Self.nodeNames, "the node")
            taken.insert(column)
            node = .column(column)
        }
        if options.tagsFromColumns {
            tag = nil
        } else if let constant = options.tag {
            tag = .constant(constant)
        } else {
            tag = .column(try place(options.tagColumn, "--tag-column", Self.tagNames, "the tag"))
        }
        timestamp = try place(options.timestampColumn, "--ts-column", Self.timestampNames, "the timestamp")
        taken.insert(timestamp)
        guard options.tagsFromColumns else {
            let column = try place(options.valueColumn, "--v-column", Self.valueNames, "the value")
            values = [Values(column: column, tag: nil, name: "v")]
            return
        }
        guard let header else {
            throw TransferError(.usage, "--tags-from-columns needs a header line, which names the tags")
        }
        values = []
        for column in header.indices where !taken.contains(column) {
            guard let tag = Tag(header[column]) else {
                throw TransferError(
                    .badData,
                    "the header's column \(column + 1), \(String(quoting: header[column])), is no tag: expected \(Tag.expectation)"
                )
            }
            guard !values.contains(where: { $0.tag == tag }) else {
                throw TransferError(.badData, "the header has the tag \(String(quoting: tag.name)) twice")
            }
            values.append(Values(column: column, tag: tag, name: tag.name))
        }
        guard !values.isEmpty else {
            throw TransferError(.badData, "the header has no column for a tag: \(Self.list(header))")
        }
    }

    private static func find(
        _ names: [String], in header: [String], _ flag: String, _ what: String
    ) throws(TransferError) -> Int {
        let found = header.indices.filter { names.contains(header[$0]) }
        if let first = found.first, found.count == 1 { return first }
        // Names that differ in case only are meant.
        let similar = header.indices.filter { names.contains(header[$0].lowercased()) }
        if found.isEmpty, let first = similar.first, similar.count == 1 { return first }
        let problem = found.isEmpty ? "the header has no column" : "the header has more than one column"
        throw TransferError(
            .badData,
            "\(problem) \(names.map { String(quoting: $0) }.joined(separator: " or ")) for \(what), but \(list(header)); name it "
                + "with \(flag)\(flag == "--v-column" || flag == "--ts-column" ? "" : ", or give it for all lines"), or by its number, "
                + "with --no-header if there is no header line")
    }

    private static func list(_ header: [String]) -> String {
        header.prefix(20).map { String(quoting: $0) }.joined(separator: ", ") + (header.count > 20 ? ", …" : "")
    }

    static func columns(_ count: Int) -> String { "\(count) column\(count == 1 ? "" : "s")" }
}
