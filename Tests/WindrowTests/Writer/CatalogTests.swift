import LibPQ
import Testing
import WindrowTestSupport

@testable import Windrow

@Suite struct CatalogTests {
    @Test("nodes and series are made once, found again, and remembered without asking")
    func createsAndFinds() throws {
        let fixture = try WriterFixture()
        let connection = fixture.connection
        var catalog = fixture.catalog()
        let names = [seriesName(5, "a"), seriesName(5, "b"), seriesName(3, "a")]
        let ids = try catalog.resolve(names, connection)
        #expect(Set(ids.compactMap { $0 }).count == 3)
        #expect(catalog.remembered(names.reversed()) == ids.reversed())
        var another = fixture.catalog()
        #expect(try another.resolve(names, connection) == ids)
    }

    @Test(
        "a UUID that is known names its node; an unknown one gets the next free number, after the numbers of its own batch"
    )
    func uuids() throws {
        let fixture = try WriterFixture()
        let connection = fixture.connection
        let uuid = NodeUUID(high: 0x1234_5678_1234_1234, low: 0x1234_1234_5678_9012)
        let byUUID = SeriesName(node: .uuid(uuid), tag: Tag(unchecked: "t"))
        let identities = NodeIdentities()
        var catalog = fixture.catalog(identities: identities)
        let ids = try catalog.resolve([byUUID, seriesName(1), seriesName(2)], connection)
        #expect(identities.id(of: uuid) == NodeID(3))
        #expect(try catalog.resolve([seriesName(3)], connection) == [ids[0]])

        let known = try connection.execute("INSERT INTO windrow.node (id) VALUES (77) RETURNING uuid").uuid(0, 0)
        let other = SeriesName(node: .uuid(NodeUUID(high: known.high, low: known.low)), tag: Tag(unchecked: "t"))
        #expect(try catalog.resolve([other], connection) == (try catalog.resolve([seriesName(77)], connection)))
    }

    @Test("the highest number of all being taken is no obstacle for a new UUID")
    func highestNumber() throws {
        let fixture = try WriterFixture()
        let connection = fixture.connection
        var catalog = fixture.catalog()
        let uuid = SeriesName(node: .uuid(NodeUUID(high: 1, low: 1)), tag: Tag(unchecked: "t"))
        let ids = try catalog.resolve([seriesName(.max), uuid], connection)
        #expect(ids.compactMap { $0 }.count == 2)
    }

    @Test("where nodes must not be created, an unknown one is nobody's series, and is found once it is there")
    func rejects() throws {
        let fixture = try WriterFixture()
        let connection = fixture.connection
        try connection.script("INSERT INTO windrow.node (id) VALUES (1)")
        var catalog = fixture.catalog(createsNodes: false)
        let uuid = SeriesName(node: .uuid(NodeUUID(high: 1, low: 1)), tag: Tag(unchecked: "t"))
        let ids = try catalog.resolve([seriesName(1), seriesName(2), uuid], connection)
        #expect(ids[0] != nil && ids[1] == nil && ids[2] == nil)
        try connection.script("INSERT INTO windrow.node (id) VALUES (2)")
        #expect(try catalog.resolve([seriesName(2)], connection) != [nil])
    }

    @Test("daemons that make the same nodes and series at the same time agree on them")
    func concurrent() async throws {
        let fixture = try WriterFixture()
        let names = (1...50).flatMap { node in
            [
                seriesName(Int64(node)),
                SeriesName(node: .uuid(NodeUUID(high: 9, low: UInt64(node))), tag: Tag(unchecked: "u")),
            ]
        }
        let (conninfo, schema) = (fixture.conninfo, fixture.schema)
        let results = try await withThrowingTaskGroup { group in
            for seed in UInt64(0)..<4 {
                group.addTask {
                    var generator = SeededGenerator(seed: seed)
                    let shuffled = names.shuffled(using: &generator)
                    let connection = try Connection(conninfo, applicationName: "windrow tests")
                    var catalog = Catalog(schema: schema, createsNodes: true, identities: NodeIdentities())
                    var ids: [SeriesName: SeriesID?] = [:]
                    for start in stride(from: 0, to: shuffled.count, by: 10) {
                        let part = Array(shuffled[start..<start + 10])
                        for (name, id) in zip(part, try catalog.resolve(part, connection)) { ids[name] = id }
                    }
                    return ids
                }
            }
            return try await group.reduce(into: [[SeriesName: SeriesID?]]()) { $0.append($1) }
        }
        #expect(results.allSatisfy { $0 == results[0] })
        #expect(results[0].count == names.count && !results[0].values.contains(nil))
    }
}

@Suite struct SchemaTests {
    @Test("migrating is idempotent, also when several do it at once")
    func idempotent() async throws {
        let conninfo = try Sandbox.shared.makeDatabase()
        let schema = try Schema("windrow")
        let applied = try await withThrowingTaskGroup { group in
            for _ in 0..<4 {
                group.addTask { try schema.migrate(try Connection(conninfo, applicationName: "windrow tests")) }
            }
            return try await group.reduce(into: [[Int]]()) { $0.append($1) }
        }
        #expect(applied.filter { !$0.isEmpty } == [[1]])
        let connection = try Connection(conninfo, applicationName: "windrow tests")
        #expect(try schema.installedVersion(connection) == Schema.version)
    }

    @Test("a schema of a newer version is refused")
    func newer() throws {
        let fixture = try WriterFixture()
        try fixture.connection.script("INSERT INTO windrow.migration (version) VALUES (99)")
        #expect(throws: SchemaError.self) { try fixture.schema.migrate(fixture.connection) }
        #expect(throws: SchemaError.self) { try fixture.schema.check(fixture.connection) }
    }

    @Test("a schema whose name needs quotes works")
    func quoted() throws {
        let connection = try Connection(try Sandbox.shared.makeDatabase(), applicationName: "windrow tests")
        let schema = try Schema("Wind \"row\"")
        #expect(try schema.migrate(connection) == [1])
        #expect(try schema.migrate(connection).isEmpty)
    }
}
