import Testing

@testable import Windrow

@Suite struct ColumnMappingTests {
    private func mapping(
        _ header: [String]?, count: Int? = nil, _ change: (inout ImportOptions) -> Void = { _ in }
    ) throws -> ColumnMapping {
        var options = ImportOptions()
        options.hasHeader = header != nil
        change(&options)
        return try ColumnMapping(options, header: header, count: count ?? header?.count ?? 0)
    }

    @Test("columns are found by their usual names, in any order and case, and others are passed over")
    func usualNames() throws {
        let found = try mapping(["Value", "time", "unit", "TAG", "node"])
        #expect(found.node == .column(4) && found.tag == .column(3) && found.timestamp == 1)
        #expect(found.values.map(\.column) == [0] && found.count == 5)
    }

    @Test("an option names a column by its name or its number")
    func options() throws {
        let found = try mapping(["a", "b", "c", "d"]) {
            $0.nodeColumn = .init("d")
            $0.tagColumn = .init("1")
            $0.timestampColumn = .init("b")
            $0.valueColumn = .init("3")
        }
        #expect(found.node == .column(3) && found.tag == .column(0) && found.timestamp == 1)
        #expect(found.values.map(\.column) == [2])
    }

    @Test("without a header the columns that are not constant come in the usual order")
    func noHeader() throws {
        let all = try mapping(nil, count: 4)
        #expect(all.node == .column(0) && all.tag == .column(1) && all.timestamp == 2 && all.values[0].column == 3)
        let one = try mapping(nil, count: 2) {
            $0.node = NodeName("7")
            $0.tag = Tag("t")
        }
        #expect(one.timestamp == 0 && one.values[0].column == 1)
        #expect(throws: TransferError.self) { try mapping(nil, count: 3) }
    }

    @Test("in a wide file each column that is not the node or the timestamp is a tag")
    func wide() throws {
        let found = try mapping(["ts", "indoor", "node_id", "outdoor"]) { $0.tagsFromColumns = true }
        #expect(found.values.map(\.name) == ["indoor", "outdoor"] && found.tag == nil)
        for header in [["ts", "node", "a", "a"], ["ts", "node", "a/b"], ["ts", "node"]] {
            #expect(throws: TransferError.self) { try mapping(header) { $0.tagsFromColumns = true } }
        }
    }

    @Test(
        "a header that leaves a column open is refused with what there is and what to say",
        arguments: [["node", "tag", "ts"], ["node", "tag", "ts", "v", "value"], ["v", "v", "ts", "node"]])
    func missing(header: [String]) {
        let error = #expect(throws: TransferError.self) { try mapping(header) }
        #expect(error?.kind == .badData)
        #expect(error?.description.contains("-column") == true)
    }
}
